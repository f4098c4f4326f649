import { isMap, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import { SmartZoneError } from '../../protocol/errors.js';
import { RuleProblem } from './rule-fields.js';

/**
 * Reads YAML or JSON, and says of everything that is wrong in it where it is.
 * @param where what errors call the text
 * @param read makes something of the value; throws RuleProblem
 * @throws CONFIG_INVALID with `where`, line and column
 */
export function checkedYaml<T>(content: string, where: string, read: (value: unknown) => T): T {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false, version: '1.2' });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${where}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const [broken] = [...document.errors, ...document.warnings];
  if (broken !== undefined)
    throw new SmartZoneError('CONFIG_INVALID', `${at(broken.pos[0])}: ${broken.message}`);
  try {
    return read(document.toJS({ maxAliasCount: 100 }));
  } catch (error) {
    const offset = error instanceof RuleProblem ? offsetOf(document, error) : 0;
    throw new SmartZoneError('CONFIG_INVALID', `${at(offset)}: ${(error as Error).message}`);
  }
}

/** Where in the text a problem is: at its node, or at the nearest one around it that there is. */
function offsetOf(document: Document, { path, problem }: RuleProblem): number {
  const unknown = /^unknown key ([^:]*):/.exec(problem)?.[1];
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (unknown !== undefined && isMap(node)) {
      const key = node.items.find((item) => isScalar(item.key) && String(item.key.value) === unknown)?.key;
      if (isScalar(key) && key.range) return key.range[0];
    }
    const range = (node as { range?: readonly [number, number, number] | null } | undefined | null)?.range;
    if (range) return range[0];
  }
  return 0;
}
