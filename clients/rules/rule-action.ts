import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { BrokerLink } from '../link/index.js';
import type { RuleEdge } from './rule-engine.js';
import { renderAction, type RenderedAction, type RenderedRequest } from './rule-render.js';

/** Where actions go. */
export interface RuleSurroundings {
  readonly print: (line: string) => void;
  /** The broker for publish actions: may be another one than the labels come from. */
  readonly link: Pick<BrokerLink, 'publish'>;
  /** How long a command may run, in milliseconds. Default 30 000. */
  readonly commandTimeout?: number;
  /** How long a webhook or Home Assistant may take, in milliseconds. Default 10 000. */
  readonly requestTimeout?: number;
}

const COMMAND_TIMEOUT = 30_000;
const REQUEST_TIMEOUT = 10_000;

/** Does what an edge asks for, one after the other. Resolves with what failed: one failure does not stop the rest. */
export async function performActions(edge: RuleEdge, surroundings: RuleSurroundings): Promise<Error[]> {
  const failures: Error[] = [];
  for (const action of edge.actions) {
    try {
      await perform(renderAction(action, edge), surroundings);
    } catch (error) {
      failures.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  return failures;
}

async function perform(action: RenderedAction, { print, link, ...limits }: RuleSurroundings): Promise<void> {
  if ('print' in action) print(action.print);
  else if ('publish' in action) {
    const { topic, payload, retain } = action.publish;
    await link.publish(topic, payload, { retain });
  } else if ('run' in action)
    await runCommand(action.run, action.env, limits.commandTimeout ?? COMMAND_TIMEOUT);
  else await send(action.request, limits.requestTimeout ?? REQUEST_TIMEOUT);
}

/** Runs a command without a shell: nothing in a label can become a command. The edge is in its environment. */
function runCommand(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  timeout: number,
): Promise<void> {
  const [command = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: false,
      env: { ...process.env, ...env },
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

/** One request, to the host that the file names: a redirection to another one is not followed. */
async function send(
  { url, method, headers, body, tokenFile }: RenderedRequest,
  timeout: number,
): Promise<void> {
  const { origin } = new URL(url);
  const token =
    tokenFile === undefined ? undefined : readFileSync(tokenFile, 'utf8').split(/\r?\n/, 1)[0]?.trim();
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeout),
      headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      ...(body === undefined ? {} : { body }),
    });
  } catch (error) {
    const { cause, message } = error as Error;
    throw new Error(`${origin}: ${cause instanceof Error ? cause.message : message}`, { cause: error });
  }
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${origin}: answered ${response.status}`);
}
