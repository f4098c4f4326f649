import type { Command } from 'commander';
import { kidToHex } from '../../protocol/kid.js';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { verifyHello, type VerifiedHello } from '../../protocol/messages/hello.js';
import { readModelStatus, type DeviceModelStatus } from '../../protocol/messages/model-status.js';
import { Topics } from '../../protocol/topics.js';
import { fingerprint } from '../keys/index.js';
import { levelMeaning, levelName } from '../owner/security-level.js';
import { describeShape } from '../sensor/index.js';
import {
  Environment,
  numberOption,
  withBroker,
  withDevice,
  type BrokerFlags,
  type DeviceFlags,
  type GlobalOptions,
} from './environment.js';
import { describeModels } from './model-state.js';
import { printable } from './output.js';

interface StatusFlags extends GlobalOptions, BrokerFlags, DeviceFlags {
  readonly timeout: number;
}

export function addStatusCommand(program: Command): void {
  const command = withDevice(withBroker(program.command('status')))
    .description(
      'what an agent and its device say of themselves (retained at the broker; only the hello is signed)',
    )
    .option('--timeout <seconds>', 'how long to wait', numberOption('--timeout', 0.1, 60), 2);
  command.action(async () => {
    const flags = command.optsWithGlobals<StatusFlags>();
    const environment = new Environment(flags);
    try {
      await status(environment, flags);
    } finally {
      await environment.close();
    }
  });
}

async function status(environment: Environment, flags: StatusFlags): Promise<void> {
  const prefix = environment.prefix(flags);
  const topics = new Topics(prefix);
  const link = await environment.link(flags, { role: 'status', id: String(process.pid) });
  const found = new Map<string, Uint8Array>();
  const wanted = [topics.state, topics.hello, topics.modelStatus];
  for (const topic of wanted) await link.subscribe(topic, ({ payload }) => found.set(topic, payload));
  const end = Date.now() + flags.timeout * 1000;
  while (found.size < wanted.length && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 20));
  if (found.size === 0) throw new SmartZoneError('TIMED_OUT', `nothing is retained at ${prefix}`);

  const text = (topic: string): unknown => {
    const payload = found.get(topic);
    if (payload === undefined) return null;
    const decoded = new TextDecoder().decode(payload);
    try {
      return JSON.parse(decoded) as unknown;
    } catch {
      return decoded;
    }
  };
  const hello = found.get(topics.hello);
  const verified = hello === undefined ? undefined : verifyHello(hello);
  const state = text(topics.state);
  const model = text(topics.modelStatus);
  const signed = signedWord(model, verified);
  environment.output.result({ prefix, state, hello: verified ?? null, model, models: signed ?? null }, [
    `agent:  ${describe(state)}`,
    ...describeHello(verified),
    `model:  ${describe(withoutSigned(model))}`,
    ...(signed === undefined ? [] : [`        signed: ${describeModels(signed).join('; ')}`]),
  ]);
}

/** The TA's word inside the agent's message, by the key of the hello; undefined: none, or not its own. */
function signedWord(model: unknown, hello: VerifiedHello | undefined): DeviceModelStatus | undefined {
  const signed = (model as { signed?: unknown } | null)?.signed;
  if (typeof signed !== 'string' || hello === undefined) return undefined;
  try {
    return readModelStatus(new Uint8Array(Buffer.from(signed, 'base64url')), hello);
  } catch (error) {
    if (isSmartZoneError(error)) return undefined;
    throw error;
  }
}

function withoutSigned(model: unknown): unknown {
  if (typeof model !== 'object' || model === null) return model;
  return Object.fromEntries(Object.entries(model).filter(([key]) => key !== 'signed'));
}

function describe(value: unknown): string {
  return value === null
    ? 'says nothing'
    : printable(typeof value === 'string' ? value : JSON.stringify(value));
}

function describeHello(hello: VerifiedHello | undefined): string[] {
  if (hello === undefined) return ['device: says nothing'];
  const {
    device,
    securityLevel,
    taVersion,
    rosterVersion,
    modelSequence,
    packingTarget,
    inputShape,
    claimNonce,
  } = hello;
  return [
    `device: ${fingerprint(device)} (${kidToHex(device)})${claimNonce === undefined ? '' : ', unclaimed'}`,
    `        ${levelName(securityLevel)}: ${levelMeaning(securityLevel)}`,
    `        TA ${printable(taVersion)}, roster ${rosterVersion}, model ${modelSequence}, packs for ${printable(packingTarget)}`,
    ...(inputShape === undefined ? [] : [`        takes ${describeShape(inputShape)}`]),
  ];
}
