/** A page on this machine: what the broker sees, and what the rules host knows. */
export { DashboardServer, type DashboardServerOptions } from './server.js';
export { DashboardState, type Snapshot } from './state.js';
