import { unwatchFile, watchFile } from 'node:fs';
import { readRuleFile } from './rule-file.js';
import type { Rule } from './rule-model.js';

export interface RuleFileListener {
  /** The file was changed, and is good. */
  readonly changed: (rules: Rule[]) => void;
  /** The file was changed, and is not: whatever rules there were stay. */
  readonly failed: (error: Error) => void;
}

/**
 * Reads a rules file again whenever it changes. Looks at the file's times, which also sees editors and tools that put another
 * file in its place. Returns what ends it.
 * @param interval milliseconds
 */
export function watchRuleFile(path: string, listener: RuleFileListener, interval = 1000): () => void {
  const look = (): void => {
    let rules: Rule[];
    try {
      rules = readRuleFile(path);
    } catch (error) {
      listener.failed(error as Error);
      return;
    }
    listener.changed(rules);
  };
  watchFile(path, { interval, persistent: false }, look);
  return () => unwatchFile(path, look);
}
