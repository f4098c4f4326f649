export { Backoff, DEFAULT_BACKOFF, type BackoffOptions } from './backoff.js';
export type { LinkOptions } from './connect-options.js';
export type { LinkMessage, MessageHandler } from './handlers.js';
export { BrokerLink, type LinkEvents, type PublishOptions } from './link.js';
