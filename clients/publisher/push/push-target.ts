import { toHex } from '../../../protocol/bytes.js';
import { codeName, isSmartZoneError } from '../../../protocol/errors.js';
import { readModelStatus, type DeviceModelStatus } from '../../../protocol/messages/model.js';
import { Topics } from '../../../protocol/topics.js';
import { DeviceTrust } from '../../trust/index.js';
import type { Witness } from '../../keys/index.js';

export type PushState =
  /** Not offered to yet: its stage has not come, or its hello has not. */
  | 'held'
  | 'offered'
  | 'fetching'
  /** Nothing goes on for the moment, for the reason given (a full disk); it goes on by itself. */
  | 'waiting'
  | 'installing'
  /** The device says, signed, that the package is its committed model. */
  | 'committed'
  /** It went back to the model before. */
  | 'rolled back'
  | 'refused'
  | 'superseded'
  | 'timed out';

export interface TargetReport {
  readonly prefix: string;
  readonly name?: string;
  readonly state: PushState;
  readonly have?: number;
  readonly total?: number;
  readonly code?: string;
  readonly reason?: string;
}

/** What the agent's model/status holds, as far as a publisher reads it. Nothing of it is signed but `signed`. */
interface StatusMessage {
  readonly push?: {
    readonly digest?: unknown;
    readonly offer?: unknown;
    readonly state?: unknown;
    readonly have?: unknown;
    readonly total?: unknown;
    readonly code?: unknown;
    readonly reason?: unknown;
  };
  /** The push that gave way to another last. */
  readonly superseded?: {
    readonly offer?: unknown;
    readonly code?: unknown;
    readonly reason?: unknown;
  };
  readonly signed?: unknown;
}

const FINAL: ReadonlySet<PushState> = new Set([
  'committed',
  'rolled back',
  'refused',
  'superseded',
  'timed out',
]);

/** One device of a push. That it took the model is believed only of its own signature; progress is the agent's word. */
export class PushTarget {
  readonly topics: Topics;
  readonly trust: DeviceTrust;
  /** Of the package for this device; undefined until its packing target is known. */
  digest: string | undefined;
  sequence = 0;
  /** First 8 bytes of SHA-256 of the offer that was made: what an agent says of an earlier one counts no more. */
  offer: string | undefined;
  /** When it was heard last that the push goes on, by performance.now(). */
  heard = performance.now();
  /** When anything was heard of it last, or the offer was sent. */
  answered = performance.now();
  /** It has asked for segments. */
  wanted = false;
  /** What was sent last, to be sent again while nothing is heard. */
  message: Uint8Array | undefined;
  word: DeviceModelStatus | undefined;
  /** The last one that came: its boot's hello may come after it. */
  #signed: unknown;
  #state: PushState = 'held';
  #have: number | undefined;
  #total: number | undefined;
  #code: string | undefined;
  #reason: string | undefined;

  constructor(
    readonly prefix: string,
    owner: Uint8Array,
    private readonly witness: Witness,
  ) {
    this.topics = new Topics(prefix);
    this.trust = new DeviceTrust(owner, witness);
    this.trust.on('device', () => this.#readWord(this.#signed));
  }

  get state(): PushState {
    return this.#state;
  }

  get isFinal(): boolean {
    return FINAL.has(this.#state);
  }

  get failed(): boolean {
    return this.isFinal && this.#state !== 'committed';
  }

  get report(): TargetReport {
    const name = this.trust.device?.name;
    return {
      prefix: this.prefix,
      state: this.#state,
      ...(name !== undefined && { name }),
      ...(this.#have !== undefined && { have: this.#have }),
      ...(this.#total !== undefined && { total: this.#total }),
      ...(this.#code !== undefined && { code: this.#code }),
      ...(this.#reason !== undefined && { reason: this.#reason }),
    };
  }

  set(state: PushState, code?: string, reason?: string): void {
    this.#state = state;
    this.#code = code;
    this.#reason = reason;
    this.heard = performance.now();
  }

  /** Nothing was heard for too long: it says why, if anything was heard at all. */
  giveUp(): void {
    this.set('timed out', this.#code ?? 'TIMED_OUT', this.#reason ?? this.#missing());
  }

  #missing(): string {
    const { roster, device } = this.trust;
    if (roster === undefined)
      return 'the broker has no roster of its owner, who publishes it: smart-zone owner roster --publish';
    if (device === undefined) return 'no hello of a device of the roster';
    return `${device.name} ${this.wanted ? 'stopped asking for it' : 'asked for nothing of it'}: its agent's log says why`;
  }

  receiveStatus(payload: Uint8Array): void {
    let message: StatusMessage | null;
    try {
      message = JSON.parse(Buffer.from(payload).toString()) as StatusMessage | null;
    } catch {
      return;
    }
    if (message === null || typeof message !== 'object') return;
    this.#readWord(message.signed);
    const { push, superseded } = message;
    if (this.offer === undefined || this.isFinal) return;
    if (superseded?.offer === this.offer)
      return this.set('superseded', textOf(superseded.code), textOf(superseded.reason));
    if (push?.offer !== this.offer) return;
    this.answered = performance.now();
    const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
    this.#have = number(push.have) ?? this.#have;
    this.#total = number(push.total) ?? this.#total;
    const { state } = push;
    const code = textOf(push.code);
    const reason = textOf(push.reason);
    if (state === 'refused' || state === 'superseded') this.set(state, code, reason);
    else if (state === 'waiting' && code !== undefined)
      [this.#state, this.#code, this.#reason] = [state, code, reason];
    else if (state === 'fetching' || state === 'installing') this.set(state);
    else this.heard = performance.now();
  }

  /** The device's own, signed word: the only thing that ends a push well. */
  #readWord(signed: unknown): void {
    const hello = this.trust.device?.hello;
    if (typeof signed !== 'string') return;
    this.#signed = signed;
    if (hello === undefined) return;
    try {
      this.word = readModelStatus(new Uint8Array(Buffer.from(signed, 'base64url')), hello);
    } catch (error) {
      if (!isSmartZoneError(error)) throw error;
      return;
    }
    const { committed, refused, floor } = this.word;
    // Before the hello that says so: from now on an older state of it was put back.
    this.witness.sawDevice(hello.device, {
      generation: hello.ownerGeneration ?? 0,
      roster: hello.rosterVersion,
      model: floor,
    });
    if (this.digest === undefined) return;
    if (committed && toHex(committed[1]) === this.digest) {
      if (!this.isFinal) this.set('committed');
    } else if (this.#state === 'committed' && floor >= this.sequence) {
      const code = refused?.[0] === this.sequence ? codeName(refused[1]) : undefined;
      this.set('rolled back', code ?? 'MODEL_TRIAL');
    }
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
