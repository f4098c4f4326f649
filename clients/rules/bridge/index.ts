/** Labels for Home Assistant, by MQTT discovery. */
export {
  bridgeWill,
  HomeAssistantBridge,
  type BridgeEvents,
  type BridgeOptions,
  type ModelInstaller,
} from './bridge.js';
