/** Labels for Home Assistant, by MQTT discovery. */
export { bridgeWill, HomeAssistantBridge } from './bridge.js';
export type { BridgeEvents, BridgeOptions, ModelInstaller } from './options.js';
