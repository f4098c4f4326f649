import { equalBytes } from '../../protocol/bytes.js';
import { isSmartZoneError } from '../../protocol/errors.js';
import { verifyHello, type SecurityLevel, type VerifiedHello } from '../../protocol/messages/hello.js';
import { isOlderRoster } from '../../protocol/messages/roster.js';
import { Topics } from '../../protocol/topics.js';
import type { BrokerLink } from '../link/index.js';
import type { BookDevice } from './book.js';
import type { Owner } from './owner.js';

/** How a device of the owner's stands, by what lies retained at the broker. */
export interface DeviceState {
  readonly device: BookDevice;
  /** The agent's word, unsigned: online, degraded, offline …; undefined: it says nothing. */
  readonly agent: string | undefined;
  /** By the device's own hello, verified with its key of the book; undefined: none, or another device's. */
  readonly hello: VerifiedHello | undefined;
  readonly level: SecurityLevel | undefined;
  /** Versions that its roster lacks to the newest, at least 1 where it is of earlier owner keys; undefined without a hello. */
  readonly rosterBehind: number | undefined;
  readonly modelSequence: number | undefined;
  /** What is wrong, in words for people; empty: nothing. */
  readonly trouble: readonly string[];
}

/** @param listen milliseconds to wait for what lies retained */
export async function deviceStates(
  owner: Owner,
  link: BrokerLink,
  listen = 2000,
): Promise<readonly DeviceState[]> {
  const { devices } = owner;
  const found = new Map<string, Uint8Array>();
  const wanted = devices.flatMap(({ prefix }) => [new Topics(prefix).state, new Topics(prefix).hello]);
  const ends = await Promise.all(
    wanted.map((topic) => link.subscribe(topic, ({ payload }) => found.set(topic, payload))),
  );
  const end = Date.now() + listen;
  while (found.size < wanted.length && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 20));
  for (const stop of ends) await stop();
  const states = devices.map((device): DeviceState => {
    const topics = new Topics(device.prefix);
    const agent = agentState(found.get(topics.state));
    const { hello, problem } = ownHello(device, found.get(topics.hello));
    const rosterBehind = hello === undefined ? undefined : versionsBehind(owner, hello);
    const low = hello !== undefined && hello.securityLevel < device.level;
    return {
      device,
      agent,
      hello,
      level: hello?.securityLevel,
      rosterBehind,
      modelSequence: hello?.modelSequence,
      trouble: [
        ...(agent === 'online' ? [] : [`the agent ${agent === undefined ? 'says nothing' : `is ${agent}`}`]),
        ...(problem === undefined ? [] : [problem]),
        ...(rosterBehind !== undefined && rosterBehind > 0
          ? [`its roster is ${howFar(owner, hello, rosterBehind)}: smart-zone owner roster --publish`]
          : []),
        ...(hello !== undefined && isOfAnother(owner, hello)
          ? [
              `its roster is ${hello.rosterVersion}, and this book's newest ${owner.rosterVersion}: who else has an owner key?`,
            ]
          : []),
        ...(low ? ['its security level is below what was accepted'] : []),
        ...(device.next === undefined
          ? []
          : [`a rotation is not finished: smart-zone owner rotate ${device.name}`]),
      ],
    };
  });
  const newest = Math.max(0, ...states.map(({ modelSequence = 0 }) => modelSequence));
  return states.map((state) =>
    state.modelSequence !== undefined && state.modelSequence < newest
      ? {
          ...state,
          trouble: [...state.trouble, `its model is ${state.modelSequence}, another device has ${newest}`],
        }
      : state,
  );
}

const ofEarlierOwners = (owner: Owner, { ownerGeneration }: VerifiedHello): boolean =>
  ownerGeneration !== undefined && ownerGeneration < owner.owners.generation;

/** Newer than what this owner has signed: a thief's, or the owner's from a newer copy of the book. */
const isOfAnother = (owner: Owner, { ownerGeneration = 0, rosterVersion }: VerifiedHello): boolean =>
  isOlderRoster(
    { generation: owner.owners.generation, version: owner.rosterVersion },
    { generation: ownerGeneration, version: rosterVersion },
  );

/** Whoever had an earlier owner key may have given it any version: see `RosterOrder`. */
function versionsBehind(owner: Owner, hello: VerifiedHello): number {
  const versions = owner.rosterVersion - hello.rosterVersion;
  return ofEarlierOwners(owner, hello) ? Math.max(1, versions) : versions;
}

const howFar = (owner: Owner, hello: VerifiedHello | undefined, behind: number): string =>
  hello !== undefined && ofEarlierOwners(owner, hello) ? 'one of earlier owner keys' : `${behind} behind`;

/** The agent's retained state is JSON with a `state`, or the word alone. */
function agentState(payload: Uint8Array | undefined): string | undefined {
  if (payload === undefined || payload.length === 0) return undefined;
  const text = new TextDecoder().decode(payload);
  try {
    const value = JSON.parse(text) as { state?: unknown } | null;
    return typeof value?.state === 'string' ? value.state : text;
  } catch {
    return text;
  }
}

function ownHello(
  device: BookDevice,
  payload: Uint8Array | undefined,
): { readonly hello?: VerifiedHello; readonly problem?: string } {
  if (payload === undefined || payload.length === 0) return { problem: 'the device says nothing' };
  try {
    const hello = verifyHello(payload);
    const keys = [device, ...(device.next === undefined ? [] : [device.next])];
    return keys.some(({ signing }) => equalBytes(signing, hello.signingKey))
      ? { hello }
      : { problem: 'another device answers in its place: claim it, or find out who that is' };
  } catch (error) {
    if (!isSmartZoneError(error)) throw error;
    return { problem: `its hello is not valid: ${error.message}` };
  }
}
