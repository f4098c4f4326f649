/** Pictures at the sensor's side: decoded, brought to the network's input size, and never written anywhere. */
export { readBmp } from './bmp.js';
export { decodePicture } from './decode.js';
export { toGrey, toRgb, type Picture } from './picture.js';
export { resizePicture, type Fit, type FrameShape } from './resize.js';
