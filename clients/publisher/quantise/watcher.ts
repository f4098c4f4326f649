import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SmartZoneError } from '../../../protocol/errors.js';
import type { EngineTool } from '../golden.js';
import { tensorBytes, type Network, type Tensor } from '../network.js';
import { packNetwork } from '../packing/pack-network.js';
import { writeGraph } from '../write-graph.js';

/** What is seen of a frame: what every operator gives, or the network's outputs only, which is quicker. */
export type Watched = 'operators' | 'outputs';

/** The values of a tensor; int8 as they are stored. */
export type Values = Float32Array | Int8Array;

const NO_NORMALISATION = { a: [1, 1, 1, 1], b: [0, 0, 0, 0] } as const;
/** Nothing is sent to a device: one segment, and no operator in parts. */
const NO_LIMIT = 2 ** 30;

/** Runs a network in the engine and sees what it computes, one process for all frames. */
class Watcher {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #network: Network;
  /** One frame's outputs, one behind the other, each at a multiple of 4. */
  readonly #views: Values[] = [];
  readonly #bytes: Uint8Array[] = [];
  #waiting: (() => void) | undefined;
  #ended = false;
  #message = '';

  private constructor(network: Network, tensors: readonly Tensor[], process: ChildProcess, folder: string) {
    this.#network = network;
    this.#process = process;
    this.#folder = folder;
    const lengths = tensors.map(tensorBytes);
    const all = new ArrayBuffer(lengths.reduce((sum, length) => sum + Math.ceil(length / 4) * 4, 0));
    let at = 0;
    for (const [i, { dtype }] of tensors.entries()) {
      const length = lengths[i] ?? 0;
      this.#views.push(
        dtype === 'i8' ? new Int8Array(all, at, length) : new Float32Array(all, at, length / 4),
      );
      this.#bytes.push(new Uint8Array(all, at, length));
      at += Math.ceil(length / 4) * 4;
    }
    const wake = (): void => {
      this.#waiting?.();
      this.#waiting = undefined;
    };
    process.stdout?.on('readable', wake);
    process.stderr?.on('data', (chunk: Buffer) => (this.#message += chunk.toString()));
    const end = (): void => {
      this.#ended = true;
      wake();
    };
    process.on('error', end).on('close', end);
    // A broken pipe shows as the end of the process.
    process.stdin?.on('error', end);
  }

  /** @param network simplified; not divided, so that its operations are those that the engine runs */
  static async start(tool: EngineTool, network: Network, what: Watched): Promise<Watcher> {
    const target = tool.target();
    const graph = writeGraph(packNetwork(network, { target, mostBytes: NO_LIMIT }), {
      head: undefined,
      target,
      normalisation: NO_NORMALISATION,
      segmentBytes: NO_LIMIT,
      mostSegmentBytes: NO_LIMIT,
    });
    const folder = await mkdtemp(join(tmpdir(), 'smart-zone-quantise-'));
    try {
      const options = ['--watch', what, '--format', 'f32', '--graph', join(folder, 'graph')];
      await writeFile(join(folder, 'graph'), graph.bytes, { mode: 0o600 });
      for (const [i, segment] of graph.segments.entries()) {
        const path = join(folder, `segment-${i}`);
        await writeFile(path, segment, { mode: 0o600 });
        options.push('--segment', path);
      }
      const tensors = what === 'outputs' ? network.outputs : network.operations.map(({ output }) => output);
      return new Watcher(network, tensors, spawn(tool.path, options), folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Gives the engine a frame of real values; it begins at once. Then call `values`. */
  give(frame: Float32Array): void {
    // Copied: the caller may use the frame again before it is written.
    this.#process.stdin?.write(
      Buffer.from(frame.buffer.slice(frame.byteOffset, frame.byteOffset + frame.byteLength)),
    );
  }

  /** What was made of the oldest frame that was not asked for: valid until the next call. */
  async values(): Promise<readonly Values[]> {
    for (const bytes of this.#bytes) {
      for (let at = 0; at < bytes.length;) {
        const chunk = this.#take(bytes.length - at);
        if (chunk === null) {
          if (this.#ended) throw this.#failure();
          await new Promise<void>((resolve) => (this.#waiting = resolve));
          continue;
        }
        bytes.set(chunk, at);
        at += chunk.length;
      }
    }
    return this.#views;
  }

  async stop(): Promise<void> {
    this.#process.stdin?.end();
    if (!this.#ended) this.#process.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #take(most: number): Buffer | null {
    const stream = this.#process.stdout;
    if (stream === null) return null;
    const length = stream.readableLength;
    return stream.read(length === 0 ? undefined : Math.min(most, length)) as Buffer | null;
  }

  #failure(): SmartZoneError {
    const { length } = this.#network.operations;
    return new SmartZoneError(
      'MODEL_GRAPH',
      `the engine stopped while it ran ${length} operators: ${this.#message.trim()}`,
    );
  }
}

/** Runs several networks on the same frames, at the same time. */
export const watch = async (
  engine: EngineTool,
  networks: readonly Network[],
  frames: readonly Float32Array[],
  see: (values: readonly (readonly Values[])[], frame: Float32Array, index: number) => void,
  what: Watched = 'operators',
): Promise<void> => {
  const watchers: Watcher[] = [];
  try {
    for (const network of networks) watchers.push(await Watcher.start(engine, network, what));
    for (const [i, frame] of frames.entries()) {
      for (const watcher of watchers) watcher.give(frame);
      see(await Promise.all(watchers.map((watcher) => watcher.values())), frame, i);
    }
  } finally {
    await Promise.all(watchers.map((watcher) => watcher.stop()));
  }
};
