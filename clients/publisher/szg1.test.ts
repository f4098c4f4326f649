import { readFileSync } from 'node:fs';
import * as szg1 from './szg1.js';

const header = readFileSync('ta/tinylib/graph.h', 'utf8');

const defined = (name: string): number => {
  const text = new RegExp(`#define ${name} (0x[0-9a-f]+|\\d+)u?\\b`).exec(header)?.[1];
  if (text === undefined) throw new Error(`${name} is not in graph.h`);
  return Number(text);
};

/** Enumerators of one enum, without their common prefix. */
const enumeration = (name: string, prefix: string): Record<string, number> => {
  const body = new RegExp(`enum ${name} \\{(.*?)\\n\\};`, 's').exec(header)?.[1] ?? '';
  const code = body.replaceAll(/\/\*.*?\*\//gs, '');
  return Object.fromEntries(
    [...code.matchAll(new RegExp(`${prefix}([A-Z0-9_]+)\\s*=\\s*(\\d+)`, 'g'))].map(([, key, value]) => [
      key ?? '',
      Number(value),
    ]),
  );
};

describe('SZG1 constants are those of graph.h', () => {
  test('limits', () => {
    expect(szg1.GRAPH_MAGIC).toBe(defined('SZ_GRAPH_MAGIC'));
    expect(szg1.GRAPH_VERSION).toBe(defined('SZ_GRAPH_VERSION'));
    expect(szg1.NO_TENSOR).toBe(defined('SZ_NONE'));
    expect(szg1.ALIGNMENT).toBe(defined('SZ_ALIGNMENT'));
    expect(szg1.MAX_RANK).toBe(defined('SZ_MAX_RANK'));
    expect(szg1.MAX_OP_INPUTS).toBe(defined('SZ_MAX_OP_INPUTS'));
    expect(szg1.MAX_OP_OUTPUTS).toBe(defined('SZ_MAX_OP_OUTPUTS'));
    expect(szg1.MAX_GRAPH_OUTPUTS).toBe(defined('SZ_MAX_GRAPH_OUTPUTS'));
    expect(szg1.OP_INTS).toBe(defined('SZ_OP_INTS'));
    expect(szg1.OP_FLOATS).toBe(defined('SZ_OP_FLOATS'));
    expect(szg1.HEAD_FLOATS).toBe(defined('SZ_HEAD_FLOATS'));
    expect(szg1.MAX_TENSORS).toBe(defined('SZ_MAX_TENSORS'));
    expect(szg1.MAX_OPS).toBe(defined('SZ_MAX_OPS'));
    expect(szg1.MAX_SEGMENTS).toBe(defined('SZ_MAX_SEGMENTS'));
    expect(szg1.MAX_INT8_DEPTH).toBe(defined('SZ_MAX_INT8_DEPTH'));
    expect(szg1.MAX_RESULTS).toBe(defined('SZ_MAX_RESULTS'));
  });

  test('operators, activations, targets', () => {
    expect(enumeration('sz_op_code', 'SZ_OP_')).toEqual(szg1.OpCode);
    expect(enumeration('sz_activation', 'SZ_ACT_')).toEqual(szg1.Activation);
    const targets = Object.entries(szg1.Target).map(([name, value]) => [
      name.toUpperCase().replace('-', '_'),
      value,
    ]);
    expect(enumeration('sz_target', 'SZ_TARGET_')).toEqual(Object.fromEntries(targets));
  });

  test('types, places, heads', () => {
    expect(Object.values(enumeration('sz_dtype', 'SZ_'))).toEqual(Object.values(szg1.DType));
    expect(Object.values(enumeration('sz_place', 'SZ_'))).toEqual(Object.values(szg1.Place));
    expect(Object.values(enumeration('sz_layout', 'SZ_LAYOUT_'))).toEqual(Object.values(szg1.Layout));
    expect(Object.values(enumeration('sz_head_kind', 'SZ_HEAD_'))).toEqual(Object.values(szg1.HeadKind));
    expect(Object.values(enumeration('sz_head_flags', 'SZ_HEAD_'))).toEqual(Object.values(szg1.HeadFlag));
  });

  test('record sizes', () => {
    const size = (record: string): number =>
      Number(new RegExp(`_Static_assert\\(sizeof\\(struct ${record}\\) == (\\d+)`).exec(header)?.[1]);
    expect(szg1.HEADER_BYTES).toBe(size('sz_graph_header'));
    expect(szg1.HEAD_BYTES).toBe(size('sz_head_record'));
    expect(szg1.TENSOR_BYTES).toBe(size('sz_tensor_record'));
    expect(szg1.OP_BYTES).toBe(size('sz_op_record'));
  });
});
