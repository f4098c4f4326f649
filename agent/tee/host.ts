import { createRequire } from 'node:module';
import { Command } from '../../protocol/codes.js';
import type { HostProgress, HostReply, HostRequest, InvokeReply, ModelRequest } from './messages.js';
import { ModelFile } from './model-file.js';
import { SegmentFeeder } from './segment-feeder.js';
import { TeeSession } from './session.js';

/*
 * The TEE client process: loads the addon, holds the one session, answers the daemon's requests. It ends with the daemon: when
 * the channel to it closes. Signals to the whole group (Ctrl-C, systemd) are the daemon's to act on.
 */
process.on('SIGTERM', () => undefined);
process.on('SIGINT', () => undefined);
process.on('SIGHUP', () => undefined);

let session: TeeSession | undefined;
let feeder: SegmentFeeder | undefined;
/** The package that segments are loaded from; it becomes the feeder's when the TA says that its model is active. */
let loading: ModelFile | undefined;

const useModel = ({ file, places, active }: ModelRequest): void => {
  if (loading !== feeder?.model) loading?.close();
  loading = ModelFile.open(file, places);
  if (active) becomesActive();
};

const becomesActive = (): void => {
  if (loading) feeder?.useModel(loading);
};

const sendSegment = async (opened: TeeSession, index: number): Promise<InvokeReply> => {
  const segment = new Uint8Array(loading?.sizeOf(index) ?? 0);
  loading?.read([index], segment);
  const reply = await opened.invoke(Command.MODEL_SEGMENT, segment, index);
  if (reply.status === 0 && reply.c === 1) becomesActive();
  return reply;
};

const answer = async (request: HostRequest): Promise<HostReply> => {
  if (request.kind === 'open') {
    session = await TeeSession.create(createRequire(import.meta.url), request);
    feeder = new SegmentFeeder(session, () => reply({ kind: 'progress' }));
    return { kind: 'opened' };
  }
  if (!session || !feeder) throw new Error('no session');
  switch (request.kind) {
    case 'model':
      useModel(request);
      return { kind: 'ready' };
    case 'segment':
      return await sendSegment(session, request.index);
    case 'invoke':
      if (request.command === Command.FRAME) return await feeder.frame(request.input);
      return await session.invoke(request.command, request.input, request.value);
  }
};

const reply = (message: HostReply | HostProgress): void => {
  process.send?.(message);
};

process.on('message', (request: HostRequest) => {
  answer(request).then(reply, (error: unknown) => {
    const { message, code } = error as Error & { code?: unknown };
    reply({ kind: 'failure', message, teec: typeof code === 'number' ? code : undefined });
  });
});

process.on('disconnect', () => {
  // A call that hangs in the TEE must not keep this process: the daemon gives it two seconds and then kills it.
  void Promise.resolve(session?.close()).finally(() => process.exit(0));
});
