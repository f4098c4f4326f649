// A TEE client in a process of its own that can rewrite the shared buffer while the TA works: the invoke runs on a worker thread,
// and this thread writes meanwhile. Driven over IPC; its environment says where the software TEE is.
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';
import { BUFFER } from '../../dist/protocol/codes.js';

const root = new URL('../../', import.meta.url).pathname;
const { openTee } = createRequire(import.meta.url)(`${root}build/smart_zone_tee.node`);
const WRITES_BETWEEN_LOOKS = 4096;
let session;

const open = async ({ uuid }) => {
  session = await openTee({
    library: `${root}build/libteec-soft.so`,
    uuid,
    bufferSize: BUFFER.in + BUFFER.out,
  });
  return {};
};

/** `hammer`: {from, to, after}: offsets that are rewritten, and milliseconds before it begins. */
const invoke = async ({ command, input, a, hammer }) => {
  const { buffer } = session;
  buffer.set(input);
  let result;
  const done = session
    .invoke(command, {
      inLength: input.length,
      outOffset: BUFFER.in,
      outLength: BUFFER.out,
      a,
    })
    .then((reply) => (result = reply));
  let writes = 0;
  if (hammer) {
    const begin = performance.now() + hammer.after;
    let random = 0x2545f491;
    while (!result) {
      if (performance.now() >= begin) {
        for (let i = 0; i < WRITES_BETWEEN_LOOKS; i += 1, writes += 1) {
          random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
          const at = hammer.from + (random % (hammer.to - hammer.from));
          // Forth and back: the TA may see either, and never the same twice.
          buffer[at] ^= random >>> 24;
        }
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await done;
  const { result: teec, outLength, b, c, d } = result;
  const out = Buffer.from(buffer.subarray(BUFFER.in, BUFFER.in + Math.min(outLength, BUFFER.out)));
  return { result: teec, a: result.a, b, c, d, out, writes };
};

process.on('message', ({ id, kind, ...request }) => {
  const run = kind === 'open' ? open(request) : invoke(request);
  run.then(
    (value) => process.send({ id, value }),
    ({ message }) => process.send({ id, error: message }),
  );
});
process.on('disconnect', () => {
  void Promise.resolve(session?.close()).finally(() => process.exit(0));
});
