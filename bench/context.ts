import { cpus } from 'node:os';
import type { Target } from '../clients/publisher/szg1.js';
import type { BenchNet, Precision } from './model-files.js';
import type { Architecture } from './nets/architectures.js';
import type { Figure } from './report.js';

/** What a suite is given, and where it says what it found. */
export interface Context {
  readonly architectures: readonly Architecture[];
  readonly precisions: readonly Precision[];
  /** Packing target of this machine's kernels. */
  readonly target: Target;
  /** Fewer runs: shows that everything works, the figures are rough. */
  readonly quick: boolean;
  /** The processor to which measured processes are pinned: the last one, the others have the machine's interrupts. */
  readonly core: number;
  /** Built once for all suites. */
  net(name: Architecture): Promise<BenchNet>;
  add(figure: Figure): void;
  /** For people only. */
  note(text: string): void;
}

export type Suite = (context: Context) => Promise<void>;

export const lastCore = (): number => cpus().length - 1;
