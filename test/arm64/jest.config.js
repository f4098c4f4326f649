import { common } from '../../jest.config.js';

/** `npm run test:arm64`: the arm64 products under qemu-user, made by scripts/emulated-arm64.mjs. */
export default {
  ...common,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/arm64/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 180_000,
};
