import { elementCount, type Operation, type Tensor } from './network.js';

/** One map of a YOLO detector: `rows` x `columns` cells with as many anchors each as there are `sizes`. */
export interface CellMap {
  readonly rows: number;
  readonly columns: number;
  /** Width and height of each anchor of a cell, as fractions of the picture. */
  readonly sizes: readonly (readonly [number, number])[];
  /**
   * How far a centre can be from the middle of its cell, in cells: half of this. 1 (default): inside the cell; more lets it reach the
   * edge with moderate values (Darknet's scale_x_y).
   */
  readonly reach?: number | undefined;
}

/** Objectness, and the four values of a box before it. */
export const CELL_VALUES = 5;

/** [N, 6] for a head that reads cells: centre x, centre y, width, height, reach x, reach y; map by map, row by row. */
export const cellAnchors = (maps: readonly CellMap[]): Tensor => {
  const values: number[] = [];
  for (const { rows, columns, sizes, reach = 1 } of maps)
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++)
        for (const [width, height] of sizes)
          values.push((x + 0.5) / columns, (y + 0.5) / rows, width, height, reach / columns, reach / rows);
  return { name: 'anchors', dtype: 'f32', dims: [values.length / 6, 6], data: Float32Array.from(values) };
};

/**
 * Brings maps [1, rows, columns, anchors x values] into one tensor [1, N, values]. No value moves but to the tensor's place, which the
 * plan of memory often gives a map at once.
 */
export const joinMaps = (
  maps: readonly { readonly tensor: Tensor; readonly origin: string }[],
  values: number,
): { readonly output: Tensor; readonly operations: Operation[] } => {
  const operations: Operation[] = [];
  const emit = (code: 'RESHAPE' | 'CONCAT', inputs: Tensor[], rows: number, origin: string): Tensor => {
    const output: Tensor = {
      name: code === 'RESHAPE' ? `rows of ${origin}` : 'cells',
      dtype: inputs[0]?.dtype ?? 'f32',
      dims: [1, rows, values],
      ...(inputs[0]?.quantisation && { quantisation: inputs[0].quantisation }),
    };
    const ints = code === 'CONCAT' ? [1] : [];
    operations.push({ code, activation: 'NONE', inputs, output, ints, floats: [], origin });
    return output;
  };
  const rows = maps.map(({ tensor, origin }) =>
    emit('RESHAPE', [tensor], elementCount(tensor) / values, origin),
  );
  const [only, ...others] = rows;
  if (only !== undefined && others.length === 0) return { output: only, operations };
  const all = rows.reduce((sum, { dims }) => sum + (dims[1] ?? 0), 0);
  const output = emit('CONCAT', rows, all, maps.map(({ origin }) => origin).join(', '));
  return { output, operations };
};
