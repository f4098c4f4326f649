export { ModelPush, type PushedPackage, type PushOptions, type PushResult } from './model-push.js';
export type { PushState, TargetReport } from './push-target.js';
