import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { isCodeName, SmartZoneError } from '../../../protocol/errors.js';
import type { Retention } from './history-file.js';
import type { SqlValue } from './sqlite.js';

export interface HistoryThreadData {
  readonly path: string;
  /** Name of the SQLite package, where a test gives another. */
  readonly specifier: string | undefined;
}

export type HistoryRequest =
  | { readonly do: 'insert'; readonly rows: readonly SqlValue[][] }
  | { readonly do: 'prune'; readonly what: Retention }
  | { readonly do: 'close' };

/** What an error says; its class does not reach another thread, nor do fields beside its text. */
export interface Failure {
  readonly message: string;
  /** A code of this project or the operating system's, with what belongs to it. */
  readonly fields: Partial<Record<(typeof FAILURE_FIELDS)[number], string>>;
}
export const FAILURE_FIELDS = ['code', 'detail', 'syscall', 'path'] as const;

export type HistoryAnswer = { readonly more: boolean } | { readonly failure: Failure };

interface Asked {
  readonly resolve: (more: boolean) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A `HistoryFile` on a thread of its own: each batch is forced to the disk, which takes milliseconds, or a good part of a second while
 * others write there too, and a rule's action must not wait for that.
 */
export class HistoryThread {
  readonly #worker: Worker;
  /** Answers come in the order of the requests. */
  readonly #asked: Asked[] = [];
  #ended: Error | undefined;

  private constructor(data: HistoryThreadData) {
    // Without this process's own options: some of them are refused beside a file.
    this.#worker = new Worker(new URL('./history-worker.js', import.meta.url), {
      workerData: data,
      execArgv: [],
    });
    this.#worker.on('message', (answer: HistoryAnswer) => this.#answered(answer));
    this.#worker.on('error', (error) => this.#end(error));
    this.#worker.on('exit', () => this.#end(new Error(`${data.path}: the thread that writes it has ended`)));
  }

  /** @throws as `HistoryFile.open` */
  static async open(path: string, specifier?: string): Promise<HistoryThread> {
    const thread = new HistoryThread({ path, specifier });
    await thread.#answer();
    return thread;
  }

  async insert(rows: readonly SqlValue[][]): Promise<void> {
    await this.#ask({ do: 'insert', rows });
  }

  prune(what: Retention): Promise<boolean> {
    return this.#ask({ do: 'prune', what });
  }

  /** Closes the file, and resolves when the thread has ended. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    const exited = once(this.#worker, 'exit');
    await this.#ask({ do: 'close' });
    this.#worker.ref();
    await exited;
  }

  #ask(request: HistoryRequest): Promise<boolean> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    this.#worker.postMessage(request);
    return this.#answer();
  }

  /** The next answer that is nobody's yet. The process does not end before it is there; beside that the thread keeps nothing alive. */
  #answer(): Promise<boolean> {
    this.#worker.ref();
    return new Promise((resolve, reject) => this.#asked.push({ resolve, reject }));
  }

  #answered(answer: HistoryAnswer): void {
    const asked = this.#asked.shift();
    if (this.#asked.length === 0) this.#worker.unref();
    if ('more' in answer) asked?.resolve(answer.more);
    else asked?.reject(errorFrom(answer.failure));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#asked.splice(0)) reject(this.#ended);
  }
}

function errorFrom({ message, fields }: Failure): Error {
  const { code, detail } = fields;
  if (code !== undefined && isCodeName(code)) return new SmartZoneError(code, detail);
  return Object.assign(new Error(message), fields);
}
