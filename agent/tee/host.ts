import { createRequire } from 'node:module';
import type { HostReply, HostRequest, InvokeReply } from './messages.js';
import { TeeSession } from './session.js';

/*
 * The TEE client process: loads the addon, holds the one session, answers the daemon's requests. It ends with the daemon: when
 * the channel to it closes. Signals to the whole group (Ctrl-C, systemd) are the daemon's to act on.
 */
process.on('SIGTERM', () => undefined);
process.on('SIGINT', () => undefined);
process.on('SIGHUP', () => undefined);

let session: TeeSession | undefined;

const answer = async (request: HostRequest): Promise<HostReply> => {
  if (request.kind === 'open') {
    session = await TeeSession.create(createRequire(import.meta.url), request);
    return { kind: 'opened' };
  }
  if (!session) throw new Error('no session');
  const { command, input, value } = request;
  const reply: InvokeReply = await session.invoke(command, input, value);
  return reply;
};

const reply = (message: HostReply): void => {
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
