/** Shortest forms of IEEE 754 numbers, as deterministic CBOR requires (RFC 8949 section 4.2.1 and appendix D). */

/** The value of a half-precision number given as its 16 bits. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The half-precision bits of `value`, or undefined where half precision cannot hold it exactly. NaN is 0x7e00. */
export function numberToHalf(value: number): number | undefined {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = Object.is(value, -0) || value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === 0) return sign;
  if (size === Infinity) return sign | 0x7c00;
  if (size < 2 ** -14) {
    const fraction = size * 2 ** 24;
    return Number.isInteger(fraction) ? sign | fraction : undefined;
  }
  if (size > 65504) return undefined;
  // Counting down from the estimate of log2 avoids trusting its last bit.
  let exponent = Math.ceil(Math.log2(size)) + 1;
  while (2 ** exponent > size) exponent--;
  const fraction = (size / 2 ** exponent - 1) * 1024;
  return Number.isInteger(fraction) ? sign | ((exponent + 15) << 10) | fraction : undefined;
}

/** How many bytes (2, 4 or 8) the shortest form that keeps `value` takes. */
export function shortestFloat(value: number): 2 | 4 | 8 {
  if (numberToHalf(value) !== undefined) return 2;
  return Object.is(Math.fround(value), value) ? 4 : 8;
}
