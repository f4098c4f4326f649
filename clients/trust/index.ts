export {
  DeviceTrust,
  sameBoot,
  type DeviceTrustEvents,
  type Refusal,
  type TrustedDevice,
} from './device-trust.js';
