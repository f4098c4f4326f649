/** Keywords quantised here, against the int8 file that was published, on words spoken by voices that calibration did not hear. */
import { EngineTool, importTflite, quantise, simplify, type Network } from '../../clients/publisher/index.js';
import { bestOf } from '../../clients/publisher/quantise/noise.js';
import { watch } from '../../clients/publisher/quantise/watcher.js';
import { keywordFeatures } from '../../clients/sensor/index.js';
import { canSpeak, OTHER_VOICES, speak, VOICES, type Voice } from '../support/speech.js';
import { describeWithOracle, sharedFile } from './shared.js';

const WORDS = ['down', 'go', 'left', 'no', 'off', 'on', 'right', 'stop', 'up', 'yes'];

const describeWithSpeech = canSpeak() ? describeWithOracle : describe.skip;
if (describeWithSpeech === describe.skip) console.warn('skipped: keywords: install espeak-ng, and see above');

const model = (name: string): Network => simplify(importTflite(sharedFile(`models/${name}`), name));

const spoken = (voices: readonly Voice[]): { word: number; features: Float32Array }[] =>
  voices
    .flatMap((voice) => WORDS.map((word, i) => ({ voice, word, i })))
    .map(({ voice, word, i }) => ({ word: i, features: keywordFeatures(speak(word, voice).samples) }));

describeWithSpeech('keywords, quantised', () => {
  test('agree with float within a point of what the published int8 file does', async () => {
    const float = model('kws_ref_model_float32.tflite');
    const calibration = spoken(OTHER_VOICES).map(({ features }) => features);
    const { network } = await quantise(float, calibration);

    const words = spoken(VOICES);
    const networks = [float, model('kws_ref_model.tflite'), network];
    const agreeing = [0, 0, 0];
    const right = [0, 0, 0];
    await watch(
      EngineTool.find(),
      networks,
      words.map(({ features }) => features),
      (values, _frame, i) => {
        const best = values.map(([output]) => bestOf(output ?? []));
        for (const [k, each] of best.entries()) {
          agreeing[k] = (agreeing[k] ?? 0) + (each === best[0] ? 1 : 0);
          right[k] = (right[k] ?? 0) + (each === words[i]?.word ? 1 : 0);
        }
      },
      'outputs',
    );
    const [of = NaN, theirs = NaN, here = NaN] = agreeing;
    console.info(
      `top-1 as float on ${of} words by ${VOICES.length} voices: published ${theirs}, quantised here ${here}; ` +
        `the word itself: float ${right[0]}, published ${right[1]}, here ${right[2]}`,
    );
    expect(of).toBe(WORDS.length * VOICES.length);
    expect(here).toBeGreaterThanOrEqual(theirs - of / 100);
    // The features are what the network was trained on, or it would hear one word in twelve.
    expect(right[0]).toBeGreaterThan(of / 2);
  });
});
