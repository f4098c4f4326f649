import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { concatBytes, utf8 } from '../../protocol/bytes.js';
import { Command } from '../../protocol/codes.js';
import type { Purpose } from '../../protocol/signed.js';
import { make } from '../support/make.js';

const RESTART = 0xffffffff;
const SESSION = 0xfffffffd;
const END_SESSION = 0xfffffffc;
const HEAP = 0xfffffffe;
const FIND = 0xfffffffb;
const CLOCK = 0xfffffffa;
const REHEARSE = 0xfffffff9;
const BACK = 0xfffffff8;
const SIGN = 0xfffffff7;
const REPLY_HEAD = 24;

export interface TaReply {
  /** TEE_Result. */
  readonly result: number;
  /** Status: a code of protocol/codes.json. */
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly out: Uint8Array;
}

export interface TaRequest {
  readonly a?: number;
  readonly b?: number;
  readonly input?: Uint8Array;
  readonly capacity?: number;
  /** Parameter types; default the right ones. */
  readonly types?: number;
}

export interface TaHostOptions {
  /** The TA's heap; default a Pi 3's. */
  readonly heapKib?: number;
  /** Where the TEE's clock stands, in seconds; default: it goes. */
  readonly clock?: number;
  /** The directory of trusted storage, which stays; default: a fresh one, which goes with stop(). */
  readonly storage?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The TA's own sources in one process under AddressSanitizer and UndefinedBehaviorSanitizer (ta/test/ta_host.c). */
export class TaHost {
  readonly #child: ChildProcessWithoutNullStreams;
  #received = Buffer.alloc(0);
  #waiting: { resolve: (reply: TaReply) => void; reject: (error: Error) => void } | undefined;
  #complaints = '';

  private constructor(
    path: string,
    /** The directory of trusted storage, for tests that damage it, take it away or put back an older copy. */
    readonly storage: string,
    { heapKib, clock, env: more }: TaHostOptions = {},
    private readonly keepStorage = false,
  ) {
    const env = {
      ...process.env,
      ...(heapKib !== undefined && { TA_HOST_HEAP_KIB: String(heapKib) }),
      ...(clock !== undefined && { TA_HOST_CLOCK: String(clock) }),
      ...more,
    };
    this.#child = spawn(path, [storage], { stdio: 'pipe', env });
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#deliver();
    });
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#complaints += chunk.toString()));
    this.#child.on('exit', (code) => {
      this.#waiting?.reject(new Error(`the TA ended (${code}): ${this.#complaints.slice(0, 4000)}`));
    });
  }

  /**
   * @param program of ta/test/ta_host.mk
   * @param heapKib the TA's heap; default a Pi 3's
   */
  static create(
    program: 'ta_host' | 'ta_host_one_owner' | 'ta_host_short_epoch' | 'ta_host_streaming' = 'ta_host',
    heapKib?: number,
  ): TaHost {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    // A TA that also keeps what it is sent, or counts its branches: ta/test/trust_corpus.mk, ta/test/trust_coverage.mk.
    const path = `${process.env['TA_HOST_DIR'] ?? 'build/ctest'}/${program}`;
    make(['-C', 'ta/test', `../../${path}`]);
    return TaHost.of(`${root}${path}`, heapKib === undefined ? {} : { heapKib });
  }

  /** @param path of a program that was built from ta/test/ta_host.c */
  static of(path: string, options: TaHostOptions = {}): TaHost {
    const { storage } = options;
    return new TaHost(
      path,
      storage ?? mkdtempSync(join(tmpdir(), 'ta-storage-')),
      options,
      storage !== undefined,
    );
  }

  /** Requests must not overlap. */
  send(
    command: number,
    { a = 0, b = 0, input, capacity = 65_536, types = 0 }: TaRequest = {},
  ): Promise<TaReply> {
    const head = new Uint32Array([command, a, b, input?.length ?? 0, capacity, types]);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#child.stdin.write(new Uint8Array(head.buffer));
      if (input) this.#child.stdin.write(input);
    });
  }

  call(command: keyof typeof Command, input?: Uint8Array, a = 0): Promise<TaReply> {
    return this.send(Command[command], { a, ...(input && { input }) });
  }

  /** As if the machine had been switched off and on: storage stays. result: not 0 where the TA does not start. */
  restart(): Promise<TaReply> {
    return this.send(RESTART);
  }

  /** Requests come from this session (1 at first) from now on. */
  session(number: number): Promise<TaReply> {
    return this.send(SESSION, { a: number });
  }

  endSession(number: number): Promise<TaReply> {
    return this.send(END_SESSION, { a: number });
  }

  /** The TEE's clock stands at this second from now on, over restarts too. */
  clock(seconds: number): Promise<TaReply> {
    return this.send(CLOCK, { a: seconds });
  }

  /** Bytes of the TA's heap. */
  async heap(): Promise<{ used: number; peak: number; size: number }> {
    const { a, b, c } = await this.send(HEAP);
    return { used: a, peak: b, size: c };
  }

  /** How often these bytes are in the TA's heap, also where it is free. */
  async find(input: Uint8Array): Promise<number> {
    return (await this.send(FIND, { input })).a;
  }

  /**
   * What `act` does happens to a copy of the TA, and is forgotten afterwards; trusted storage is put back too.
   * Not to be nested, and no restarts.
   */
  async rehearse<T>(act: () => Promise<T>): Promise<T> {
    const before = this.#stored();
    await this.send(REHEARSE);
    const result = await act();
    const { a } = await this.send(BACK);
    if (a !== 0) throw new Error(`the copy of the TA ended (${a}): ${this.#complaints.slice(0, 4000)}`);
    for (const [name, bytes] of before) writeFileSync(join(this.storage, name), bytes);
    for (const name of readdirSync(this.storage))
      if (!before.has(name)) rmSync(join(this.storage, name), { recursive: true });
    return result;
  }

  #stored(): Map<string, Buffer> {
    return new Map(readdirSync(this.storage).map((name) => [name, readFileSync(join(this.storage, name))]));
  }

  /** A message that the device's own key signs, whatever it says: what a TA with another opinion would send. */
  async sign(purpose: Purpose, payload: Uint8Array): Promise<Uint8Array> {
    const reply = await this.send(SIGN, { input: concatBytes(utf8(purpose), Uint8Array.of(0), payload) });
    if (reply.a !== 0) throw new Error(`not signed: ${reply.a}`);
    return reply.out;
  }

  async stop(): Promise<void> {
    const ended = new Promise<number | null>((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin.end();
    const code = await ended;
    if (!this.keepStorage) rmSync(this.storage, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the TA ended with ${code}: ${this.#complaints.slice(0, 4000)}`);
  }

  #deliver(): void {
    const bytes = this.#received;
    if (bytes.length < REPLY_HEAD) return;
    const word = (i: number): number => bytes.readUInt32LE(4 * i);
    const length = word(5);
    if (bytes.length < REPLY_HEAD + length) return;
    const out = new Uint8Array(bytes.subarray(REPLY_HEAD, REPLY_HEAD + length));
    this.#received = bytes.subarray(REPLY_HEAD + length);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ result: word(0), a: word(1), b: word(2), c: word(3), d: word(4), out });
  }
}
