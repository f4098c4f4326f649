export {
  DeviceTrust,
  sameBoot,
  type DeviceTrustEvents,
  type Refusal,
  type TrustedDevice,
} from './device-trust.js';
export { DeviceWatch } from './device-watch.js';
export { ZoneWatch, type ZoneDevice, type ZoneWatchEvents } from './zone-watch.js';
