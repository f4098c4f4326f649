import { common } from '../../jest.config.js';

/** `npm run test:vm`: each file a story, told in order, in a machine of its own. */
export default {
  ...common,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/vm/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 1_800_000,
  setupFilesAfterEnv: ['<rootDir>/test/vm/progress.ts'],
  bail: 1,
  maxWorkers: 1,
};
