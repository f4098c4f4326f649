import type { TemplateTree } from './rule-model.js';

/** What {{…}} can name. */
const TEMPLATE_NAMES = [
  'class',
  'score',
  'percent',
  'count',
  'error',
  'sensor',
  'device',
  'rule',
  'state',
  'time',
] as const;
export type TemplateName = (typeof TEMPLATE_NAMES)[number];
export type TemplateValues = Readonly<Record<TemplateName, string>>;

const PLACE = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** What is wrong with a template, or undefined. */
export function templateProblem(template: string): string | undefined {
  for (const [whole, name = ''] of template.matchAll(PLACE))
    if (!isName(name)) return `${whole}: one of ${TEMPLATE_NAMES.join(', ')}`;
  return undefined;
}

export function namesIn(template: string): TemplateName[] {
  return [...template.matchAll(PLACE)].map(([, name = '']) => name).filter(isName);
}

/**
 * Puts values in, each as `treat` gives it back. Once only: what a value brings along is not looked at again, so braces in a
 * label's text are text.
 */
export function fill(
  template: string,
  values: TemplateValues,
  treat: (value: string, name: TemplateName, at: number) => string = (value) => value,
): string {
  return template.replace(PLACE, (whole, name: string, at: number) =>
    isName(name) ? treat(values[name], name, at) : whole,
  );
}

/** Fills every string of a tree; keys stay as they are. */
export function fillTree(
  tree: TemplateTree,
  values: TemplateValues,
  treat?: (value: string, name: TemplateName) => string,
): TemplateTree {
  if (typeof tree === 'string') return fill(tree, values, treat);
  if (isList(tree)) return tree.map((item) => fillTree(item, values, treat));
  if (typeof tree === 'object' && tree !== null)
    return Object.fromEntries(
      Object.entries(tree).map(([key, item]) => [key, fillTree(item, values, treat)]),
    );
  return tree;
}

const isList = (tree: TemplateTree): tree is readonly TemplateTree[] => Array.isArray(tree);
const isName = (name: string): name is TemplateName => (TEMPLATE_NAMES as readonly string[]).includes(name);
