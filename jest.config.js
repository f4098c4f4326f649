/** Jest runs the TypeScript through swc; types are checked by `tsc --noEmit` beside it (scripts/test.mjs). */
export const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript', decorators: true } },
        module: { type: 'es6' },
      },
    ],
  },
  testMatch: ['**/*.test.ts'],
};
const never = ['/node_modules/', '/dist/', '/build/', '/test/vm/', '/test/arm64/'];
/** They have times to keep, or start a household of processes and brokers. */
const alone = ['/bench/', '/demo/', '/test/agent/', '/test/e2e/', '/test/rules/'];

export default {
  // By default jest leaves one processor free: on two that is one file at a time.
  maxWorkers: '100%',
  testTimeout: 180_000,
  projects: [
    { ...common, testPathIgnorePatterns: [...never, ...alone] },
    {
      ...common,
      testPathIgnorePatterns: [...never, `^(?!.*(${alone.join('|')}))`],
      runner: '<rootDir>/test/support/one-at-a-time.mjs',
    },
  ],
};
