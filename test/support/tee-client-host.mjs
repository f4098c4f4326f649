// A client of the TEE in a process of its own, so that tests can kill it and choose its environment. Driven over IPC. Its argument is
// the folder of the native products; default: build/.
import { createRequire } from 'node:module';

const build = process.argv[2] ?? new URL('../../build', import.meta.url).pathname;
const { openTee } = createRequire(import.meta.url)(`${build}/smart_zone_tee.node`);
let session;

const run = async ({ kind, ...request }) => {
  switch (kind) {
    case 'open':
      session = await openTee({ library: `${build}/libteec-soft.so`, ...request });
      return true;
    case 'invoke': {
      const { command, input, outLength = 0, outOffset = session.buffer.length >> 1, ...values } = request;
      if (input) session.buffer.set(input);
      const inLength = request.inLength ?? input?.length ?? 0;
      const reply = await session.invoke(command, { ...values, inLength, outOffset, outLength });
      const size = Math.min(reply.outLength, outLength);
      return { ...reply, output: Buffer.from(session.buffer.subarray(outOffset, outOffset + size)) };
    }
    case 'poke':
      session.buffer[request.offset] = request.byte;
      return true;
    case 'close':
      await session.close();
      return session.buffer.length;
    default:
      throw new Error(`no ${kind}`);
  }
};

process.on('message', ({ id, request }) => {
  run(request).then(
    (value) => process.send({ id, value }),
    ({ message, code, origin }) => process.send({ id, error: { message, code, origin } }),
  );
});
process.on('disconnect', () => process.exit(0));
