import { readFileSync } from 'node:fs';
import { CLASS_ID, VENDOR_ID } from '../../protocol/product.js';

/** The bytes of a `#define NAME { 0x.., ... }`. */
const definition = (name: string): number[] => {
  const header = readFileSync('ta/include/sz_product.h', 'utf8').replaceAll('\\\n', ' ');
  const body = new RegExp(`#define ${name}\\s*\\{([^}]*)\\}`).exec(header)?.[1];
  if (body === undefined) throw new Error(`${name} is not in sz_product.h`);
  return [...body.matchAll(/0x([0-9a-f]{2})/g)].map(([, digits]) => parseInt(digits ?? '', 16));
};

test('TA and publisher name the same vendor and class', () => {
  expect([...VENDOR_ID]).toEqual(definition('SZ_VENDOR_ID'));
  expect([...CLASS_ID]).toEqual(definition('SZ_CLASS_ID'));
  expect(VENDOR_ID).toHaveLength(16);
  expect(CLASS_ID).toHaveLength(16);
});
