export { ModelPush, type PushedPackage, type PushOptions, type PushResult } from './model-push.js';
export { contentKeyFile, parseContentKey, readPackageFile } from './package-file.js';
export { pushModel, type PushModelOptions } from './push-model.js';
export type { PushState, TargetReport } from './push-target.js';
export { rosterDevices, type RosterDevicePlace, type RosterDevicesOptions } from './roster-devices.js';
