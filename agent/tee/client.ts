import { EventEmitter } from 'node:events';
import { Code, Command } from '../../protocol/codes.js';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { Backoff } from '../backoff.js';
import type { TeeConfig } from '../config.js';
import type { Log } from '../log.js';
import { memoryShortage } from './memory-shortage.js';
import type { InvokeReply, SegmentPlace } from './messages.js';
import { TeeProcess } from './process.js';

/** What PING says. */
export interface TaState {
  /** Counted from 1 in each life of the TA. */
  readonly epoch: number;
  readonly claimed: boolean;
  readonly modelActive: boolean;
  readonly installing: boolean;
  /** First four bytes of the boot nonce: another value is another life of the TA, a claim, a reset or other keys of the device. */
  readonly boot: number;
}

/** A label record and what the agent needs to send it on. */
export interface SealedLabel {
  readonly record: Uint8Array;
  readonly epoch: number;
  /** kid of the sensor whose frame this answers, 16 hexadecimal digits. */
  readonly sensor: string;
}

/** What came of a segment. */
export interface SegmentTaken {
  /** The next one; undefined: the model is active and wants no more. */
  readonly wanted: number | undefined;
  /** Bytes that the active model streams for each frame; 0 where all of it is in secure memory. */
  readonly streamed: number;
}

/** The index that stands for "no more segments: the model is active". */
const ALL_SEGMENTS = 0xffffffff;

interface TeeEvents {
  /** A session is open. The TA may have restarted: ask ping() for its boot. */
  open: [];
  /** The session is gone; a new one is being opened. */
  lost: [SmartZoneError];
}

/**
 * The TA as the agent sees it: typed commands, one after the other. Commands that arrive while no session is open fail with
 * TEE_UNREACHABLE: whoever still cares runs them again on `open`.
 */
export class TeeClient extends EventEmitter<TeeEvents> {
  readonly #config: TeeConfig;
  readonly #log: Log;
  readonly #backoff: Backoff;
  #process: TeeProcess | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #restarts = 0;

  private constructor(config: TeeConfig, log: Log, random?: () => number) {
    super();
    this.#config = config;
    this.#log = log;
    this.#backoff = new Backoff(100, config.restartMaxMs, random);
  }

  static create(config: TeeConfig, log: Log, random?: () => number): TeeClient {
    return new TeeClient(config, log, random);
  }

  start(): void {
    this.#running ??= this.#keepOpen();
  }

  /** Waits for the call under way (at most its deadline), closes the session, ends the process. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#last.catch(() => undefined);
    await this.#process?.close();
    await this.#running;
  }

  get isOpen(): boolean {
    return this.#process !== undefined;
  }

  /** Sessions that were lost and had to be opened again. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Process identifier of the TEE client process, for tests and diagnostics. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async ping(): Promise<TaState> {
    const { b, c, d } = await this.#call(Command.PING);
    return {
      epoch: b,
      claimed: (c & 1) !== 0,
      modelActive: (c & 2) !== 0,
      installing: (c & 4) !== 0,
      boot: d,
    };
  }

  async hello(): Promise<Uint8Array> {
    return (await this.#call(Command.HELLO)).output;
  }

  /** @param nonce 8 to 64 bytes of the requester's */
  async evidence(nonce: Uint8Array): Promise<Uint8Array> {
    return (await this.#call(Command.EVIDENCE, nonce)).output;
  }

  /** The reply is signed and there also when the TA refused the statement; status says which. Throws if it was unreadable. */
  async owner(statement: Uint8Array): Promise<{ reply: Uint8Array; status: number }> {
    const { output, status } = await this.#invoke(Command.OWNER, statement);
    if (output.length === 0) throw SmartZoneError.fromNumber(status || 100, 'owner');
    return { reply: output, status };
  }

  async roster(roster: Uint8Array): Promise<void> {
    await this.#call(Command.ROSTER, roster);
  }

  /** Returns the kid of the sensor that made the offer. */
  async offer(offer: Uint8Array): Promise<string> {
    const { c, d } = await this.#call(Command.OFFER, offer);
    return kidFromWords(c, d);
  }

  async zoneOffer(offer: Uint8Array): Promise<void> {
    await this.#call(Command.ZONE_OFFER, offer);
  }

  async rulesHello(hello: Uint8Array): Promise<{ offer: Uint8Array; epoch: number }> {
    const { output, b } = await this.#call(Command.RULES_HELLO, hello);
    return { offer: output, epoch: b };
  }

  /**
   * @param frame the caller's number of it
   * @param sent called when it has gone to the TEE
   */
  async frame(record: Uint8Array, frame = 0, sent: () => void = () => undefined): Promise<SealedLabel> {
    const reply = await this.#turn((tee) => {
      const answer = tee.invoke({ kind: 'invoke', command: Command.FRAME, input: record, value: 0, frame });
      sent();
      return answer;
    });
    return sealedLabel(accepted(reply));
  }

  /**
   * Frame number `frame`, handed over while the TA still works on the one before it, so that the TA need not wait for it.
   * undefined: that one got no label, the TA has not seen this one, and it is to be given to frame() when that one is settled.
   * At most one at a time.
   */
  async frameAfter(record: Uint8Array, frame: number): Promise<SealedLabel | undefined> {
    const tee = this.#process;
    if (tee === undefined || this.#stopped) return undefined;
    const follows = frame - 1;
    const request = {
      kind: 'invoke',
      command: Command.FRAME,
      input: record,
      value: 0,
      frame,
      follows,
    } as const;
    const reply = tee.invokeIf(request);
    // Whoever has the next turn may begin: the process answers in order. stop() waits for both.
    this.#last = Promise.all([this.#last, reply.catch(() => undefined)]);
    try {
      const answered = await reply;
      return answered && sealedLabel(accepted(answered));
    } catch (error) {
      if (isSmartZoneError(error, 'TEE_DIED', 'TEE_TIMEOUT')) this.#lose(tee, error);
      throw error;
    }
  }

  /** @param channelId 8 bytes */
  async receipt(channelId: Uint8Array): Promise<Uint8Array> {
    return (await this.#call(Command.RECEIPT, channelId)).output;
  }

  /** @param counters CBOR map of what the agent says of itself */
  async telemetry(counters: Uint8Array): Promise<{ record: Uint8Array; epoch: number }> {
    const { output, b } = await this.#call(Command.TELEMETRY, counters);
    return { record: output, epoch: b };
  }

  /**
   * The package whose segments are loaded next, and streamed for frames once its model is active.
   * @param active it is active already, from an earlier session
   */
  useModel(file: string, places: readonly SegmentPlace[], active: boolean): Promise<void> {
    return this.#turn((tee) => tee.useModel({ kind: 'model', file, places, active }));
  }

  /** @param request CBOR [suit-envelope, model-offer / null]. Returns the first segment wanted, or undefined if none. */
  async modelBegin(request: Uint8Array): Promise<number | undefined> {
    return segmentWanted(await this.#call(Command.MODEL_BEGIN, request));
  }

  /** Gives the TA this segment of the package that useModel() named. */
  async modelSegment(index: number): Promise<SegmentTaken> {
    const reply = accepted(await this.#turn((tee) => tee.invoke({ kind: 'segment', index })));
    return { wanted: segmentWanted(reply), streamed: reply.d };
  }

  /** The TA's signed word on its models; it stores what a model on trial has achieved. */
  async modelStatus(): Promise<{ signed: Uint8Array; wanted: number | undefined; onTrial: boolean }> {
    const reply = await this.#call(Command.MODEL_STATUS);
    return { signed: reply.output, wanted: segmentWanted(reply), onTrial: reply.c === 1 };
  }

  /** A command that succeeds, or throws the TA's error. */
  async #call(command: Command, input?: Uint8Array, value?: number): Promise<InvokeReply> {
    return accepted(await this.#invoke(command, input, value));
  }

  #invoke(command: Command, input: Uint8Array = new Uint8Array(), value = 0): Promise<InvokeReply> {
    return this.#turn((tee) => tee.invoke({ kind: 'invoke', command, input, value }));
  }

  /** Calls queue up behind each other: the TA has one thread. */
  #turn<T>(call: (tee: TeeProcess) => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      const tee = this.#process;
      if (!tee || this.#stopped) throw new SmartZoneError('TEE_UNREACHABLE', 'no session is open');
      try {
        return await call(tee);
      } catch (error) {
        if (isSmartZoneError(error, 'TEE_DIED', 'TEE_TIMEOUT')) this.#lose(tee, error);
        throw error;
      }
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #lose(tee: TeeProcess, error: SmartZoneError): void {
    tee.kill();
    if (this.#process !== tee || this.#stopped) return;
    this.#process = undefined;
    this.#restarts += 1;
    this.#log.error('lost the TEE', { code: error.code, reason: error.message });
    this.emit('lost', error);
    this.#wake?.();
  }

  /** Opens a session whenever there is none, until stop(). */
  async #keepOpen(): Promise<void> {
    while (!this.#stopped) {
      try {
        const tee = await TeeProcess.create(this.#config);
        if (this.#stopped) return await tee.close();
        this.#process = tee;
        void tee.exited.then(() =>
          this.#lose(tee, new SmartZoneError('TEE_DIED', 'the TEE client process ended')),
        );
        this.#backoff.reset();
        this.#log.info('opened the TEE', { library: this.#config.library, process: tee.pid });
        this.emit('open');
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          if (this.#process !== tee) resolve();
        });
      } catch (error) {
        this.#log.error('cannot open the TEE', { reason: (error as Error).message });
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, this.#backoff.next());
          this.#wake = () => (clearTimeout(timer), resolve());
        });
      }
    }
  }
}

/** Throws the error that the TA replied. */
const accepted = (reply: InvokeReply): InvokeReply => {
  const { status, b, c, d } = reply;
  if (status === Code.MODEL_MEMORY) throw new SmartZoneError('MODEL_MEMORY', memoryShortage(b, c, d));
  if (status !== 0) throw SmartZoneError.fromNumber(status);
  return reply;
};

const sealedLabel = ({ output, b, c, d }: InvokeReply): SealedLabel => ({
  record: output,
  epoch: b,
  sensor: kidFromWords(c, d),
});

const segmentWanted = ({ b }: InvokeReply): number | undefined => (b === ALL_SEGMENTS ? undefined : b);

const kidFromWords = (high: number, low: number): string =>
  high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
