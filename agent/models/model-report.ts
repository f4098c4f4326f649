import type { ModelStatus } from './model-loader.js';

/** How a push goes, as its publisher follows it. */
export interface PushStatus {
  /** Manifest digest in hexadecimal: which package. */
  readonly digest: string;
  /** First 8 bytes of the offer's SHA-256 in hexadecimal: which attempt. */
  readonly offer: string;
  readonly sequence?: number;
  readonly state: 'waiting' | 'fetching' | 'installing' | 'committed' | 'refused' | 'superseded';
  /** Segments that are there, and how many there are. */
  readonly have?: number;
  readonly total?: number;
  /** Why it was refused: a code of protocol/codes.json. */
  readonly code?: string;
  readonly reason?: string;
}

/** The retained message on model/status: the agent's own words, and the TA's signed one. */
export class ModelReport {
  #model: ModelStatus = { state: 'none' };
  #push: PushStatus | undefined;
  /** The last push that gave way: its publisher may have missed the moment when it was told. */
  #superseded: PushStatus | undefined;
  #signed: Uint8Array | undefined;

  constructor(private readonly publish: (message: Buffer) => void) {}

  get push(): PushStatus | undefined {
    return this.#push;
  }

  setModel(model: ModelStatus): void {
    this.#model = model;
    this.repeat();
  }

  setPush(push: PushStatus): void {
    this.#push = push;
    if (push.state === 'superseded') this.#superseded = push;
    this.repeat();
  }

  setSigned(signed: Uint8Array): void {
    this.#signed = signed;
    this.repeat();
  }

  /** Publishes it again: a broker may have lost it. */
  repeat(): void {
    const push = this.#push && { push: this.#push };
    const superseded = this.#superseded && { superseded: this.#superseded };
    const signed = this.#signed && { signed: Buffer.from(this.#signed).toString('base64url') };
    this.publish(Buffer.from(JSON.stringify({ ...this.#model, ...push, ...superseded, ...signed })));
  }
}
