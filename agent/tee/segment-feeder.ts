import { decodeStrict } from '../../protocol/cbor.js';
import { Code, Command } from '../../protocol/codes.js';
import type { InvokeReply } from './messages.js';
import type { TeeSession } from './session.js';

/** Where a model's segments come from. */
export interface SegmentSource {
  /** Bytes of a segment; undefined: there is no such segment. */
  sizeOf(index: number): number | undefined;
  /** Puts as many of these segments as fit one behind the other. Returns how many, and their bytes. */
  read(indices: readonly number[], into: Uint8Array): { count: number; length: number };
  close(): void;
}

/** Segments that lie in one half of the request area, ready to be sent. */
interface Staged {
  readonly half: 0 | 1;
  readonly indices: readonly number[];
  readonly length: number;
}

/**
 * Brings a frame through the TA. A model that does not fit in secure memory wants its segments again for every frame: while the
 * TA works on those in one half of the request area, the next ones are read into the other half.
 */
export class SegmentFeeder {
  readonly #session: TeeSession;
  /** Tells that the TA goes on working: a long inference is no hanging call. */
  readonly #progress: () => void;
  #model: SegmentSource | undefined;
  /** What the model's frames want first: the same for all of them. */
  #first: readonly number[] = [];

  constructor(session: TeeSession, progress: () => void) {
    this.#session = session;
    this.#progress = progress;
  }

  get model(): SegmentSource | undefined {
    return this.#model;
  }

  /** The model that is active in the TA from now on; the one before is closed. */
  useModel(model: SegmentSource): void {
    if (this.#model !== model) this.#model?.close();
    this.#model = model;
    this.#first = [];
  }

  /** The reply to the frame's last call: its label or an error. Throws TeecFailure. */
  async frame(record: Uint8Array): Promise<InvokeReply> {
    let { reply, staged } = await this.#begin(record);
    for (let began = true; reply.status === Code.SEGMENTS_WANTED; began = false) {
      const wanted = wantedSegments(reply.output);
      if (began) this.#first = wanted;
      if (!staged || !startsWith(wanted, staged.indices)) staged = this.#stage(wanted, 0);
      if (staged) {
        const { half, indices, length } = staged;
        const next = this.#session.invokeHalf(Command.CONTINUE, half, length, indices[0] ?? 0);
        staged = this.#stage(wanted.slice(indices.length), half === 0 ? 1 : 0);
        reply = await next;
      } else {
        reply = await this.#sendWhole(wanted[0] ?? 0);
      }
      this.#progress();
    }
    return reply;
  }

  /** The frame's first call, and what was read meanwhile. */
  async #begin(record: Uint8Array): Promise<{ reply: InvokeReply; staged: Staged | undefined }> {
    // As far as is known the model is resident: there is nothing to do beside this call.
    if (this.#first.length === 0)
      return { reply: this.#session.invokeNow(Command.FRAME, record, 0), staged: undefined };
    const call = this.#session.invoke(Command.FRAME, record, 0);
    // The record lies in the first half, or beyond it: then there is nowhere to read ahead to.
    const staged =
      record.length <= this.#session.half(1).byteLength ? this.#stage(this.#first, 1) : undefined;
    return { reply: await call, staged };
  }

  /** One segment that is too long for half of a small request area. */
  async #sendWhole(index: number): Promise<InvokeReply> {
    const segment = new Uint8Array(this.#model?.sizeOf(index) ?? 0);
    const { count } = this.#model?.read([index], segment) ?? { count: 0 };
    if (count === 1) return await this.#session.invoke(Command.CONTINUE, segment, index);
    return { kind: 'reply', status: Code.MODEL_UNKNOWN, b: 0, c: 0, d: 0, output: new Uint8Array() };
  }

  /** undefined: nothing to read, or it does not fit, or it cannot be read. */
  #stage(indices: readonly number[], half: 0 | 1): Staged | undefined {
    if (indices.length === 0 || !this.#model) return undefined;
    const { count, length } = this.#model.read(indices, this.#session.half(half));
    return count === 0 ? undefined : { half, indices: indices.slice(0, count), length };
  }
}

/** CDDL wanted-segments. */
const wantedSegments = (bytes: Uint8Array): readonly number[] => {
  const value = decodeStrict(bytes);
  if (!Array.isArray(value)) return [];
  return value.filter((index): index is number => typeof index === 'number');
};

const startsWith = (list: readonly number[], beginning: readonly number[]): boolean =>
  beginning.length <= list.length && beginning.every((value, i) => value === list[i]);
