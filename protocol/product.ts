/**
 * What a model package names so that only this product takes it: SUIT vendor and class identifiers
 * (draft-ietf-suit-manifest section 8.4.5). Random, fixed for ever; ta/include/sz_product.h has the same bytes.
 */
const uuid = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll('-', ''), 'hex'));

export const VENDOR_ID: Uint8Array = uuid('5f2a9f0e-6a4b-5a5c-8f0e-2c8b7d1e4a10');
export const CLASS_ID: Uint8Array = uuid('0b1d6c52-3f7e-5d0a-9c41-7a9e5b2f6d33');
