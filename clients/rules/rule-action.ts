import { spawn } from 'node:child_process';
import type { BrokerLink } from '../link/index.js';
import type { RuleEdge } from './rule-engine.js';

/** Where actions go. */
export interface RuleSurroundings {
  readonly print: (line: string) => void;
  /** The broker for publish actions: may be another one than the labels come from. */
  readonly link: Pick<BrokerLink, 'publish'>;
  /** How long a command may run, in milliseconds. */
  readonly commandTimeout?: number;
}

const COMMAND_TIMEOUT = 30_000;

/** Does what an edge asks for, one after the other. Resolves with what failed: one failure does not stop the rest. */
export async function performActions(
  edge: RuleEdge,
  { print, link, commandTimeout }: RuleSurroundings,
): Promise<Error[]> {
  const failures: Error[] = [];
  for (const action of edge.actions) {
    try {
      if ('print' in action) print(action.print);
      else if ('publish' in action) {
        const { topic, payload, retain = false } = action.publish;
        await link.publish(topic, payload, { retain });
      } else await runCommand(action.run, edge, commandTimeout ?? COMMAND_TIMEOUT);
    } catch (error) {
      failures.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  return failures;
}

/** Runs a command without a shell: nothing in a label can become a command. The edge is in its environment. */
function runCommand(
  argv: readonly string[],
  { rule, state, match }: RuleEdge,
  timeout: number,
): Promise<void> {
  const [command = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: {
        ...process.env,
        SMART_ZONE_RULE: rule.name,
        SMART_ZONE_STATE: state,
        SMART_ZONE_CLASS: match.name ?? '',
        SMART_ZONE_SCORE: match.score === undefined ? '' : String(match.score),
        SMART_ZONE_SENSOR: match.sensor,
      },
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('exit', (status, signal) => {
      clearTimeout(timer);
      if (status === 0) resolve();
      else
        reject(
          new Error(`${command}: ${signal === null ? `exit status ${status ?? '?'}` : `ended by ${signal}`}`),
        );
    });
  });
}
