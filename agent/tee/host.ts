import { createRequire } from 'node:module';
import { Command } from '../../protocol/codes.js';
import {
  REQUEST_DESCRIPTOR,
  type HostProgress,
  type HostReply,
  type HostRequest,
  type InvokeReply,
  type InvokeRequest,
  type ModelRequest,
} from './messages.js';
import { ModelFile } from './model-file.js';
import { readRequest } from './request-file.js';
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

/** A long request is read to where the TEE reads it. */
const inputOf = (opened: TeeSession, { input, at = 0 }: InvokeRequest): Uint8Array => {
  if (typeof input !== 'number') return input;
  const half = opened.half(0);
  const bytes = input <= half.length ? half.subarray(0, input) : new Uint8Array(input);
  readRequest(REQUEST_DESCRIPTOR, bytes, at);
  return bytes;
};

/** The last frame, if it got its label. */
let labelled: number | undefined;

/** Frames in their order only: the TA refuses a frame with a lower number than one that it has seen. */
const answerFrame = async (
  opened: TeeSession,
  frames: SegmentFeeder,
  request: InvokeRequest,
): Promise<HostReply> => {
  if (request.follows !== undefined && request.follows !== labelled) return { kind: 'skipped' };
  labelled = undefined;
  const reply = await frames.frame(inputOf(opened, request));
  if (reply.status === 0) labelled = request.frame;
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
      if (request.command === Command.FRAME) return await answerFrame(session, feeder, request);
      return await session.invoke(request.command, inputOf(session, request), request.value);
  }
};

const reply = (message: HostReply | HostProgress): void => {
  process.send?.(message);
};

/** One after the other: a frame may be here before the one that it follows is done. */
let last: Promise<void> = Promise.resolve();
process.on('message', (request: HostRequest) => {
  last = last
    .then(() => answer(request))
    .then(reply, (error: unknown) => {
      const { message, code } = error as Error & { code?: unknown };
      reply({ kind: 'failure', message, teec: typeof code === 'number' ? code : undefined });
    });
});

process.on('disconnect', () => {
  // A call that hangs in the TEE must not keep this process: the daemon gives it two seconds and then kills it.
  void Promise.resolve(session?.close()).finally(() => process.exit(0));
});
