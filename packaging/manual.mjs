// The manual page of `smart-zone`: packaging/man/smart-zone.1 with a section for every command, from the definitions that also make
// --help, so that no command can be missing from it.
const PLACE = '.\\" COMMANDS\n';
/** An option of this many commands, with the same meaning in each, is described once. */
const SHARED_BY = 4;

/** Text as mdoc(7) takes it. */
const escaped = (text) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', "'")
    .split('\n')
    .map((line) => line.trim().replace(/^(?=[.'])/, '\\&'))
    .filter((line) => line !== '')
    .join('\n.Pp\n');

/** One argument of a macro. The \& keeps a word like "Ar" from being a macro itself. */
const argument = (text) => `"\\&${escaped(text).replaceAll('"', '""')}"`;

const sentence = (text) => {
  const end = /[.:]$/.test(text) ? '' : '.';
  return escaped(text.charAt(0).toUpperCase() + text.slice(1) + end);
};

const item = ({ flags, description, argChoices, defaultValue }) => {
  const notes = [
    ...(argChoices === undefined ? [] : [`One of ${argChoices.join(', ')}`]),
    ...(defaultValue === undefined || defaultValue === false ? [] : [`Default: ${String(defaultValue)}`]),
  ];
  return `.It Li ${argument(flags)}\n${[description, ...notes].map(sentence).join('\n')}`;
};

const list = (options) => (options.length === 0 ? [] : ['.Bl -tag -width Ds', ...options.map(item), '.El']);

/** The commands that do something, with what is typed before them. */
export const leaves = (command, path = []) =>
  command.commands
    .filter((each) => each.name() !== 'help')
    .flatMap((each) =>
      each.commands.length > 0
        ? leaves(each, [...path, each.name()])
        : [{ name: [...path, each.name()].join(' '), command: each }],
    );

const visible = (options) => options.filter(({ hidden }) => !hidden);
const identity = ({ flags, description, defaultValue }) =>
  `${flags}\n${description}\n${String(defaultValue)}`;

/** @param program the commander program, @param text packaging/man/smart-zone.1 */
export const manual = (program, text) => {
  if (!text.includes(PLACE)) throw new Error('smart-zone.1 has no place for the commands');
  const commands = leaves(program);
  const uses = new Map();
  for (const option of commands.flatMap(({ command }) => visible(command.options)))
    uses.set(identity(option), { option, count: (uses.get(identity(option))?.count ?? 0) + 1 });
  const shared = [...uses.values()].filter(({ count }) => count >= SHARED_BY).map(({ option }) => option);
  const isShared = new Set(shared.map(identity));
  const sections = commands.flatMap(({ name, command }) => [
    `.Ss ${argument(name)}`,
    `.Li ${argument(`smart-zone ${name} ${command.usage()}`)}`,
    '.Pp',
    sentence(command.description()),
    ...list(visible(command.options).filter((option) => !isShared.has(identity(option)))),
  ]);
  const lines = [
    '.Sh COMMANDS',
    ...sections,
    '.Sh OPTIONS OF MANY COMMANDS',
    'A command takes those of them that its',
    '.Fl \\-help',
    'lists.',
    ...list([...visible(program.options), ...shared]),
  ];
  return text.replace(PLACE, () => `${lines.join('\n')}\n`);
};
