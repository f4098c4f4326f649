/*
 * ONNX's own operator cases (Debian: libonnx-testdata): those that consist of operators of the importer's list pass, or are in
 * onnx-left-out.json with the reason, which is the importer's own message. UPDATE_ONNX_LIST=1 writes that file anew.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { ModelImportError, SUPPORTED_ONNX_OPERATORS } from '../../clients/publisher/index.js';
import { greatestDifference, magnitude } from './comparison.js';
import { CASES_FOLDER, casesIn, operatorsOf, runCase } from './onnx-cases.js';

const LIST = 'test/models/onnx-left-out.json';
const leftOut = JSON.parse(readFileSync(LIST, 'utf8')) as Record<string, string>;

/** Computed, but not as exactly or as coarsely as the case has it: the greatest difference, relative to the greatest value. */
const ROUGHER: Readonly<Record<string, number>> = {
  // float16 is computed as float32, results are not rounded to its 11 bits.
  'node/test_cast_FLOAT_to_FLOAT16': 2 ** -11,
  'node/test_castlike_FLOAT_to_FLOAT16_expanded': 2 ** -11,
};

/** Those that compute nothing may be there, too. */
const known = new Set([...SUPPORTED_ONNX_OPERATORS, 'Constant', 'ConstantOfShape', 'Range', 'Shape', 'Size']);
const installed = existsSync(CASES_FOLDER);
if (!installed)
  console.warn(
    'skipped: ONNX operator cases: apt-get install libonnx-testdata (Debian, Ubuntu) installs them',
  );

const cases = installed
  ? ['node', 'pytorch-converted', 'pytorch-operator', 'simple'].flatMap(casesIn).filter(({ model }) => {
      const operators = operatorsOf(model);
      return (
        operators.some((one) => SUPPORTED_ONNX_OPERATORS.includes(one)) &&
        operators.every((one) => known.has(one))
      );
    })
  : [];

const reasons = new Map<string, string>();

(installed ? describe : describe.skip)('ONNX operator cases', () => {
  test.each(cases.map((one) => [one.name, one] as const))('%s', async (name, one) => {
    let outcomes;
    try {
      outcomes = await runCase(one);
    } catch (error) {
      if (!(error instanceof ModelImportError)) throw error;
      reasons.set(name, error.problems.join('; '));
      if (process.env['UPDATE_ONNX_LIST'] === undefined)
        expect(error.problems.join('; ')).toBe(leftOut[name]);
      return;
    }
    expect(outcomes.length).toBeGreaterThan(0);
    for (const { actual, expected, type } of outcomes) {
      const difference = greatestDifference(actual, expected);
      const allowed = type === 'f32' ? (ROUGHER[name] ?? 1e-5) * magnitude(expected) : 0;
      expect(difference).toBeLessThanOrEqual(allowed);
    }
  });

  afterAll(() => {
    if (process.env['UPDATE_ONNX_LIST'] !== undefined)
      writeFileSync(LIST, `${JSON.stringify(Object.fromEntries(reasons), null, 2)}\n`);
  });

  test('what is left out is what cannot be imported, and nothing else', () => {
    if (process.env['UPDATE_ONNX_LIST'] === undefined)
      expect(Object.keys(leftOut).sort()).toEqual([...reasons.keys()].sort());
    process.stdout.write(`ONNX operator cases: ${cases.length - reasons.size} of ${cases.length} computed\n`);
    expect(cases.length).toBeGreaterThan(200);
  });
});
