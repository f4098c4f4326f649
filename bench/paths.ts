import { join } from 'node:path';
import { packageRoot } from '../agent/package-root.js';

export const ROOT = packageRoot();
/** Everything that the bench downloads, builds and writes. */
export const SCRATCH = join(ROOT, 'build', 'bench');
/** Peers from npm are installed beside this package.json. */
export const BENCH_PACKAGE = join(ROOT, 'bench', 'package.json');
export const SHARED = process.env['SMART_ZONE_SHARED'] ?? join(ROOT, '..', 'shared');
