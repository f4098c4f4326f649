/** Sensors: seal frames for a device and send them. */
export { describeShape } from './destination.js';
export { SensorClient } from './sensor-client.js';
export type {
  FrameDropped,
  FrameReceipted,
  FrameSent,
  SensorEvents,
  SensorOptions,
  SensorStats,
} from './sensor-options.js';
export {
  framesOfStream,
  isSound,
  listPictures,
  picturesAppearing,
  picturesOfPaths,
  picturesOfStream,
  type SourcePicture,
} from './picture-source.js';
export * from './audio/index.js';
export type { DropReason } from './frame-queue.js';
export type { TrustedDevice } from '../trust/index.js';
export type { InputShape } from '../../protocol/messages/input-shape.js';
export { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
export { decodePicture, resizePicture, type Fit, type Picture } from '../picture/index.js';
export * from '../keys/index.js';
export * from '../link/index.js';
