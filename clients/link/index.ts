export { Backoff, DEFAULT_BACKOFF, type BackoffOptions } from './backoff.js';
export {
  BrokerLink,
  type LinkEvents,
  type LinkMessage,
  type LinkOptions,
  type MessageHandler,
  type PublishOptions,
} from './link.js';
