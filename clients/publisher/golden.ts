import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SmartZoneError } from '../../protocol/errors.js';
import type { Format } from '../../protocol/messages/input-shape.js';
import { Target, type Target as TargetName } from './szg1.js';
import type { PackedGraph } from './write-graph.js';

/**
 * Computes what a device must compute: the output tensors for one frame, as their bytes. A package's golden test comes from
 * here, so it should be the engine itself, or a runtime that is exact for this model.
 */
export interface GoldenRunner {
  run(graph: PackedGraph, format: Format, frame: Uint8Array): Promise<Uint8Array[]>;
}

/** What the engine needs of a packed graph. */
type GraphAndWeights = Pick<PackedGraph, 'bytes' | 'segments'>;

/** One result of the graph's head. */
export interface EngineResult {
  readonly class: number;
  readonly score: number;
  /** x_min, y_min, x_max, y_max as fractions of the frame; zeros where the head gives none. */
  readonly box: readonly [number, number, number, number];
}

export interface EngineRun {
  readonly outputs: Uint8Array[];
  readonly results: readonly EngineResult[];
  /** Best time of the runs in milliseconds. */
  readonly ms: number;
}

/** What engine_run prints. */
interface Printed {
  readonly ms: number;
  readonly results?: EngineResult[];
  readonly ops?: [code: number, ms: number][];
  readonly headStatus?: number;
  readonly error?: number;
  readonly op?: number;
  readonly tensor?: number;
}

const execute = promisify(execFile);

const isTarget = (name: string): name is TargetName => name in Target;

/** What the repository builds; this file is in its sources or in its dist/. Folders outside the package are not searched. */
const findEngineTool = (): string | undefined => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  const tool = join(folder, 'build', 'ctest', 'engine_run');
  return existsSync(tool) ? tool : undefined;
};

/**
 * S-Tinylib itself, as a program on this machine. Packing needs it for the expected output of the golden test only; the published
 * package has no native code, so there it must be pointed to, or another GoldenRunner given.
 */
export class EngineTool implements GoldenRunner {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** @param path the program; default: SMART_ZONE_ENGINE, then the repository's build. Throws MODEL_IMPORT without one. */
  static find(path: string | undefined = process.env['SMART_ZONE_ENGINE'] ?? findEngineTool()): EngineTool {
    if (path !== undefined && existsSync(path)) return new EngineTool(path);
    const detail =
      "no engine to compute the golden test's output: run `make -C ta/test` in the repository, or set SMART_ZONE_ENGINE";
    throw new SmartZoneError(
      'MODEL_IMPORT',
      path === undefined ? detail : `${path} does not exist: ${detail}`,
    );
  }

  get path(): string {
    return this.#path;
  }

  /** The packing target of this machine's kernels. */
  target(): TargetName {
    const name = execFileSync(this.#path, ['--target'], { encoding: 'utf8' }).trim();
    if (!isTarget(name)) throw new SmartZoneError('MODEL_IMPORT', `${this.#path} runs no target known here`);
    return name;
  }

  async run(graph: GraphAndWeights, format: Format, frame: Uint8Array): Promise<Uint8Array[]> {
    return (await this.infer(graph, format, frame)).outputs;
  }

  /** Runs one frame; `results` is what the graph's head makes of the outputs. */
  async infer(graph: GraphAndWeights, format: Format, frame: Uint8Array, runs = 1): Promise<EngineRun> {
    const options = ['--runs', String(runs), '--head'];
    return this.#withFiles(graph, format, frame, options, async (parameters, folder) => {
      const prefix = join(folder, 'output');
      const printed = await this.#execute([...parameters, '--output-prefix', prefix]);
      const count = new DataView(graph.bytes.buffer, graph.bytes.byteOffset).getUint16(20, true);
      const outputs = await Promise.all(
        Array.from({ length: count }, async (_, i) => new Uint8Array(await readFile(`${prefix}.${i}.bin`))),
      );
      return { outputs, results: printed.results ?? [], ms: printed.ms };
    });
  }

  /**
   * How long each operator takes on this machine, in milliseconds: the best of some passes. Operators in bands run together: the
   * first has the time of all.
   */
  async operatorTimes(
    graph: GraphAndWeights,
    format: Format,
    frame: Uint8Array,
    passes = 5,
  ): Promise<number[]> {
    return this.#withFiles(graph, format, frame, ['--runs', '3', '--ops'], async (parameters) => {
      let best: number[] | undefined;
      for (let pass = 0; pass < passes; pass++) {
        const times = (await this.#execute(parameters)).ops?.map(([, ms]) => ms) ?? [];
        best = best?.map((ms, i) => Math.min(ms, times[i] ?? ms)) ?? times;
      }
      return best ?? [];
    });
  }

  async #withFiles<T>(
    graph: GraphAndWeights,
    format: Format,
    frame: Uint8Array,
    options: readonly string[],
    use: (parameters: string[], folder: string) => Promise<T>,
  ): Promise<T> {
    const folder = await mkdtemp(join(tmpdir(), 'smart-zone-golden-'));
    try {
      const file = async (name: string, bytes: Uint8Array): Promise<string> => {
        const path = join(folder, name);
        await writeFile(path, bytes, { mode: 0o600 });
        return path;
      };
      const parameters = ['--graph', await file('graph', graph.bytes), '--input', await file('frame', frame)];
      for (const [i, segment] of graph.segments.entries())
        parameters.push('--segment', await file(`segment-${i}`, segment));
      return await use([...parameters, '--format', format, ...options], folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #execute(parameters: string[]): Promise<Printed> {
    let text: string;
    try {
      text = (await execute(this.#path, parameters, { maxBuffer: 64 * 1024 * 1024 })).stdout;
    } catch (error) {
      text = (error as { stdout?: string }).stdout ?? '';
      if (text === '') throw new SmartZoneError('MODEL_GRAPH', 'the engine failed', { cause: error });
    }
    const printed = JSON.parse(text) as Printed;
    if (printed.error !== undefined || (printed.headStatus ?? 0) !== 0) {
      const { error, op, tensor } = printed;
      throw new SmartZoneError(
        'MODEL_GRAPH',
        `engine status ${error ?? printed.headStatus}, operator ${op}, tensor ${tensor}`,
      );
    }
    return printed;
  }
}
