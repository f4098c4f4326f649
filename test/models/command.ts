import { execFile } from 'node:child_process';
import { resolve } from 'node:path';

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly error: string;
}

/** The command `smart-zone` as a process, with the keys in `folder` and relative paths from there. */
export const smartZoneIn =
  (folder: string) =>
  (...args: readonly string[]): Promise<Ran> =>
    new Promise((done) => {
      const env = {
        ...process.env,
        SMART_ZONE_HOME: folder,
        SMART_ZONE_ENGINE: resolve('build/ctest/engine_run'),
      };
      execFile(
        process.execPath,
        [resolve('dist/clients/cli/main.js'), ...args],
        { cwd: folder, env, maxBuffer: 2 ** 26 },
        (error, out, err) => done({ status: (error?.code as number | undefined) ?? 0, out, error: err }),
      );
    });
