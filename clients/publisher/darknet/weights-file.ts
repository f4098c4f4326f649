/** What is wrong with a .weights file. */
export class WeightsError extends Error {}

export interface WeightsFile {
  /** All values, in the order of the layers. */
  readonly values: Float32Array;
  /** Matrices of [connected] layers have inputs before outputs. */
  readonly transposed: boolean;
}

const grouped = (count: number): string => count.toLocaleString('en');

/**
 * Three int32 of version, the number of pictures seen in training (32 bits before version 0.2), then float32 values, little-endian.
 * @param expected so many values
 * @throws WeightsError unless the file has exactly these
 */
export const readWeights = (bytes: Uint8Array, expected: number): WeightsFile => {
  if (bytes.length < 16) throw new WeightsError(`the weights have ${bytes.length} bytes, not even a header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [major, minor] = [view.getInt32(0, true), view.getInt32(4, true)];
  if (major < 0 || minor < 0)
    throw new WeightsError(`the weights are of version ${major}.${minor}: no Darknet file`);
  const old = major * 10 + minor < 2 || major >= 1000 || minor >= 1000;
  const header = old ? 16 : 20;
  const whole = header + 4 * expected;
  if (bytes.length !== whole) {
    const difference =
      bytes.length < whole
        ? `${grouped(whole - bytes.length)} too few`
        : `${grouped(bytes.length - whole)} left over`;
    throw new WeightsError(
      `the weights have ${grouped(bytes.length)} bytes, the layers take ${grouped(whole)} (${difference}): weights of another network?`,
    );
  }
  const values =
    (bytes.byteOffset + header) % 4 === 0
      ? new Float32Array(bytes.buffer, bytes.byteOffset + header, expected)
      : new Float32Array(bytes.slice(header).buffer);
  return { values, transposed: major > 1000 || minor > 1000 };
};
