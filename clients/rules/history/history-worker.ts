/** The thread on which a history's file is written: what it is asked one after the other, each with one answer. */
import { parentPort, workerData } from 'node:worker_threads';
import { HistoryFile } from './history-file.js';
import {
  FAILURE_FIELDS,
  type HistoryAnswer,
  type HistoryRequest,
  type HistoryThreadData,
} from './history-thread.js';

const { path, specifier } = workerData as HistoryThreadData;
const answer = (value: HistoryAnswer): void => parentPort?.postMessage(value);

function failed(error: unknown): HistoryAnswer {
  const of = error as Partial<Record<string, unknown>>;
  const fields = Object.fromEntries(
    FAILURE_FIELDS.flatMap((name) => (typeof of[name] === 'string' ? [[name, of[name]]] : [])),
  );
  return { failure: { message: error instanceof Error ? error.message : String(error), fields } };
}

let file: HistoryFile | undefined;
try {
  file = await HistoryFile.open(path, specifier);
  answer({ more: false });
} catch (error) {
  answer(failed(error));
}

function obey(history: HistoryFile, request: HistoryRequest): boolean {
  switch (request.do) {
    case 'insert':
      history.insert(request.rows);
      return false;
    case 'prune':
      return history.prune(request.what);
    case 'close':
      history.close();
      return false;
  }
}

const opened = file;
if (opened !== undefined)
  parentPort?.on('message', (request: HistoryRequest) => {
    try {
      answer({ more: obey(opened, request) });
    } catch (error) {
      answer(failed(error));
    }
    if (request.do === 'close') parentPort?.close();
  });
