/** Jest runs the TypeScript through swc; types are checked by `tsc --noEmit` beside it (scripts/test.mjs). */
export default {
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
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/build/', '/test/vm/', '/test/arm64/'],
  testTimeout: 180_000,
  // By default jest leaves one processor free: on two that is one file at a time.
  maxWorkers: '100%',
};
