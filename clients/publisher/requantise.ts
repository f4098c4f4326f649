/**
 * The factor by which an int8 operator multiplies its int32 sums, per output channel, computed as XNNPACK does: two float32
 * operations, each rounded. The engine uses the stored value as it is, so the device never computes it differently.
 */
export const requantisationScale = (inputScale: number, weightScale: number, outputScale: number): number =>
  Math.fround(Math.fround(Math.fround(inputScale) * Math.fround(weightScale)) / Math.fround(outputScale));
