import common from '../../jest.config.js';

/** `npm run test:vm`: one story, told in order, in one machine. */
export default {
  ...common,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/vm/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 600_000,
  bail: 1,
};
