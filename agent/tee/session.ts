import type { InvokeReply, OpenRequest } from './messages.js';

/** One open session, as the addon gives it. */
export interface TeeSession {
  invoke(command: number, input: Uint8Array, value: number): Promise<InvokeReply>;
  close(): Promise<void>;
}

interface Addon {
  open(options: { library: string; uuid: string; bufferSize: number }): Promise<TeeSession>;
}

/** Loads the addon and opens a session. @param load loads a CommonJS module by path */
export const openSession = (load: (path: string) => unknown, request: OpenRequest): Promise<TeeSession> => {
  const { addon, library, uuid, bufferSize } = request;
  return (load(addon) as Addon).open({ library, uuid, bufferSize });
};
