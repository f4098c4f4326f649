/**
 * What a user would build without a TEE: an MQTT client that infers with onnxruntime-node and publishes the best classes.
 *
 *     node plain-client.js PACKAGE MODEL BROKER
 *
 * Frames come on plain/frame as 8 bytes of identifier and the raw picture; labels go to plain/label as JSON.
 */
import mqtt from 'mqtt';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { OnnxRuntime } from '../peers/onnxruntime.js';

const ID_BYTES = 8;
const BEST = 5;

const [packageJson = '', model = '', broker = ''] = process.argv.slice(2);
const ort = createRequire(packageJson)('onnxruntime-node') as OnnxRuntime;
const session = await ort.InferenceSession.create(model, {
  executionProviders: ['cpu'],
  graphOptimizationLevel: 'all',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});
const dims = session.inputMetadata[0]?.shape.map(Number) ?? [];

/** The best classes, best first. */
const bestOf = (scores: Uint8Array): { index: number; score: number }[] => {
  const best: { index: number; score: number }[] = [];
  scores.forEach((score, index) => {
    if (best.length === BEST && score <= (best.at(-1)?.score ?? 0)) return;
    best.splice(best.findLastIndex((other) => other.score >= score) + 1, 0, { index, score });
    best.length = Math.min(best.length, BEST);
  });
  return best;
};

const classify = async (picture: Uint8Array): Promise<{ index: number; score: number }[]> => {
  const results = await session.run({ input: new ort.Tensor('uint8', picture, dims) });
  return bestOf(results['output']?.data as Uint8Array);
};

const client = await mqtt.connectAsync(broker, { protocolVersion: 4, clean: true });
// Without it the kernel waits up to 40 ms before it sends the second half of a packet.
(client.stream as Socket).setNoDelay(true);
// One after the other, as frames come.
let last: Promise<unknown> = Promise.resolve();
client.on('message', (_topic, payload) => {
  last = last.then(async () => {
    const id = payload.subarray(0, ID_BYTES).toString('hex');
    const classes = await classify(payload.subarray(ID_BYTES));
    client.publish('plain/label', JSON.stringify({ id, time: Date.now(), classes }), { qos: 1 });
  });
});
await client.subscribeAsync('plain/frame', { qos: 1 });
console.log('ready');
process.on('SIGTERM', () => process.exit(0));
