/** Sound at the sensor's side: from samples to what networks take of them. Nothing is written anywhere. */
export {
  framesOfPcm,
  framesOfSound,
  keywordFeatures,
  machineSoundFeatures,
  SOUND_RATE,
  soundFramesFor,
  type SoundFrames,
} from './features.js';
export { readPcm, readWav, type Sound } from './wav.js';
