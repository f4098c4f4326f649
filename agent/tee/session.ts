import type {
  InvokeParameters,
  InvokeResult,
  openTee,
  TeeSession as NativeSession,
} from '../native/index.js';
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
  /** Requests lie before this offset, in one or two halves, replies from there on. */
  readonly #split: number;

  private constructor(native: NativeSession) {
    this.#native = native;
    const { length } = native.buffer;
    this.#split = Math.min(2 * BUFFER.in, Math.max(Math.floor((length / 4) * 3), length - BUFFER.out));
  }

  /** Loads the addon and opens a session. @param load loads a CommonJS module by path */
  static async create(load: (path: string) => unknown, request: OpenRequest): Promise<TeeSession> {
    const { addon, library, uuid, bufferSize } = request;
    const native = load(addon) as { openTee: typeof openTee };
    return new TeeSession(await native.openTee({ library, uuid, bufferSize }));
  }

  /** The reply's output is a copy. Throws TeecFailure. */
  async invoke(command: number, input: Uint8Array, value: number): Promise<InvokeReply> {
    return await this.#invoke(command, 0, this.#lay(input), value);
  }

  /** As invoke(), but this thread waits: for a call beside which it has nothing to do. */
  invokeNow(command: number, input: Uint8Array, value: number): InvokeReply {
    return this.#reply(this.#native.invokeNow(command, this.#parameters(0, this.#lay(input), value)));
  }

  /** One half of the request area, to be filled by the caller while nothing that lies in it is under way. */
  half(which: 0 | 1): Uint8Array {
    const length = Math.floor(this.#split / 2);
    return this.#native.buffer.subarray(which * length, (which + 1) * length);
  }

  /** As invoke(), with the request that lies at the beginning of this half. */
  invokeHalf(command: number, which: 0 | 1, length: number, value: number): Promise<InvokeReply> {
    return this.#invoke(command, which * Math.floor(this.#split / 2), length, value);
  }

  /** Puts a request where the TEE reads it, unless it was made there. */
  #lay(input: Uint8Array): number {
    const { buffer } = this.#native;
    if (input.length > Math.min(this.#split, BUFFER.in))
      throw new TeecFailure(TEEC_ERROR_SHORT_BUFFER, TEEC_ORIGIN_API);
    if (input.buffer !== buffer.buffer || input.byteOffset !== buffer.byteOffset) buffer.set(input);
    return input.length;
  }

  async #invoke(command: number, inOffset: number, inLength: number, value: number): Promise<InvokeReply> {
    return this.#reply(await this.#native.invoke(command, this.#parameters(inOffset, inLength, value)));
  }

  #parameters(inOffset: number, inLength: number, value: number): InvokeParameters {
    const outLength = this.#native.buffer.length - this.#split;
    return { inOffset, inLength, outOffset: this.#split, outLength, a: value };
  }

  #reply({ result, origin, outLength, a, b, c, d }: InvokeResult): InvokeReply {
    if (result !== 0) throw new TeecFailure(result, origin);
    const output = new Uint8Array(this.#native.buffer.subarray(this.#split, this.#split + outLength));
    return { kind: 'reply', status: a, b, c, d, output };
  }

  close(): Promise<void> {
    return this.#native.close();
  }
}

const TEEC_ERROR_SHORT_BUFFER = 0xffff0010;
const TEEC_ORIGIN_API = 1;
