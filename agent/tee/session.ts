import type { openTee, TeeSession as NativeSession } from '../native/index.js';
import { BUFFER } from '../../protocol/codes.js';
import type { InvokeReply, OpenRequest } from './messages.js';

/** A call of the TEE client library failed. */
export class TeecFailure extends Error {
  override readonly name = 'TeecFailure';
  constructor(
    /** TEEC_Result */
    readonly code: number,
    /** TEEC_ORIGIN_*: 1 client library, 2 transport, 3 TEE, 4 TA */
    readonly origin: number,
  ) {
    super(`TEE client library: 0x${code.toString(16)}, origin ${origin}`);
  }
}

/** One open session with the TA, in the parameter layout that its commands take (protocol/codes.json, ta/entry.c). */
export class TeeSession {
  readonly #native: NativeSession;
  /** Requests lie before this offset, replies from there on. */
  readonly #split: number;

  private constructor(native: NativeSession) {
    this.#native = native;
    const { length } = native.buffer;
    this.#split = Math.min(BUFFER.in, Math.floor((length / 4) * 3));
  }

  /** Loads the addon and opens a session. @param load loads a CommonJS module by path */
  static async create(load: (path: string) => unknown, request: OpenRequest): Promise<TeeSession> {
    const { addon, library, uuid, bufferSize } = request;
    const native = load(addon) as { openTee: typeof openTee };
    return new TeeSession(await native.openTee({ library, uuid, bufferSize }));
  }

  /** The reply's output is a copy. Throws TeecFailure. */
  async invoke(command: number, input: Uint8Array, value: number): Promise<InvokeReply> {
    const { buffer } = this.#native;
    if (input.length > this.#split) throw new TeecFailure(TEEC_ERROR_SHORT_BUFFER, TEEC_ORIGIN_API);
    buffer.set(input);
    const { result, origin, outLength, a, b, c, d } = await this.#native.invoke(command, {
      inOffset: 0,
      inLength: input.length,
      outOffset: this.#split,
      outLength: buffer.length - this.#split,
      a: value,
    });
    if (result !== 0) throw new TeecFailure(result, origin);
    const output = Uint8Array.from(buffer.subarray(this.#split, this.#split + outLength));
    return { kind: 'reply', status: a, b, c, d, output };
  }

  close(): Promise<void> {
    return this.#native.close();
  }
}

const TEEC_ERROR_SHORT_BUFFER = 0xffff0010;
const TEEC_ORIGIN_API = 1;
