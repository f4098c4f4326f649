import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { fail, type Finding } from './finding.js';

/** Where the Debian package puts it. */
export const AGENT_CONFIGURATION = '/etc/smart-zone/agent.json';

/** What the configuration of an agent on this machine says of where to look. */
export interface AgentSettings {
  readonly library?: string;
  readonly broker?: string;
  readonly prefix?: string;
}

/** @returns undefined where there is no such file; a finding where it cannot be used */
export function readAgentSettings(file: string): AgentSettings | Finding | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    return fail('configuration', message, 'sudo smart-zone doctor');
  }
  try {
    const { tee, broker, device, topics } = JSON.parse(text) as Record<string, Record<string, unknown>>;
    const library = wordOf(tee?.['library']) ?? 'soft';
    const url = wordOf(broker?.['url']);
    const name =
      wordOf(device?.['name']) ??
      hostname()
        .toLowerCase()
        .replace(/[^a-z0-9_-]+/g, '-');
    return {
      library,
      ...(url === undefined ? {} : { broker: url }),
      prefix: wordOf(topics?.['prefix']) ?? `smartzone/${name}`,
    };
  } catch (error) {
    return fail(
      'configuration',
      `${file}: ${(error as Error).message}`,
      'it is JSON; the agent names the key: smart-zone-agent --config FILE --check',
    );
  }
}

const wordOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;
