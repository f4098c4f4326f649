/** What an owner who lost key and book can learn from devices and broker again. */
import { equalBytes } from '../../protocol/bytes.js';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { signingKid } from '../../protocol/kid.js';
import { verifyHello, type VerifiedHello } from '../../protocol/messages/hello.js';
import { pinnedOwner } from '../../protocol/messages/owners.js';
import {
  acceptRoster,
  isOlderRoster,
  rosterOrder,
  type RosterOrder,
} from '../../protocol/messages/roster.js';
import { devicePrefix, Topics } from '../../protocol/topics.js';
import type { BrokerLink } from '../link/index.js';
import type { BookContent, BookDevice } from './book.js';
import { zonesOfRoster } from './zones.js';

export interface RecoverOptions {
  readonly link: BrokerLink;
  /** Where devices are, beside those that are found at smartzone/<name>. */
  readonly prefixes?: readonly string[];
  /** Milliseconds to listen for what lies retained. Default 3000. */
  readonly listen?: number;
}

export interface LostOwner {
  readonly content: Pick<
    BookContent,
    'owners' | 'succession' | 'rosterVersion' | 'lease' | 'devices' | 'members' | 'zones'
  >;
  /** Devices of the roster whose hello was not found: their topics are guessed from their names. */
  readonly unseen: readonly string[];
}

interface Found {
  readonly rosters: Uint8Array[];
  readonly hellos: { readonly prefix: string; readonly hello: VerifiedHello }[];
}

/**
 * Reads the retained rosters and hellos. The newest roster that the recovery key leads to counts, whoever sends it: one that is
 * older than the last is told by nobody, so look at who is in it afterwards.
 * @param now milliseconds: owner counters go on from here, above any that the lost book used
 */
export async function findLost(
  recovery: Uint8Array,
  { link, prefixes = [], listen = 3000 }: RecoverOptions,
  now: number,
): Promise<LostOwner> {
  const { rosters, hellos } = await listenForRetained(link, prefixes, listen);
  if (rosters.length === 0)
    throw new SmartZoneError('TIMED_OUT', 'no roster is retained: name the device with --device or --prefix');
  const { roster, owners } = newest(rosters, recovery);
  if (!owners.keys.some((key) => equalBytes(key, recovery)))
    throw new SmartZoneError('NOT_OWNER', 'this recovery key is none of the owner any more');
  const devices = roster.devices.map((entry): BookDevice => {
    const seen = hellos.find(({ hello }) => equalBytes(hello.signingKey, entry.signingKey));
    return {
      name: entry.name,
      prefix: seen?.prefix ?? guessedPrefix(entry.name),
      signing: entry.signingKey,
      kid: signingKid(entry.signingKey),
      agreement: entry.agreementKey,
      level: entry.securityLevel,
      counter: now,
    };
  });
  const known = oneOfEach(devices, hellos);
  return {
    content: {
      owners,
      succession: roster.succession ?? [],
      rosterVersion: roster.version,
      lease: roster.lease,
      devices: known,
      members: roster.members.map(({ signingKey, agreementKey, ...rest }) => ({
        ...rest,
        kid: signingKid(signingKey),
        signing: signingKey,
        agreement: agreementKey,
      })),
      zones: zonesOfRoster(roster),
    },
    unseen: known
      .filter(({ signing }) => !hellos.some(({ hello }) => equalBytes(hello.signingKey, signing)))
      .map(({ name }) => name),
  };
}

/** A device in rotation is listed twice: the pair counts that it uses, and its rotation begins anew. */
function oneOfEach(devices: readonly BookDevice[], hellos: Found['hellos']): BookDevice[] {
  const used = ({ signing }: BookDevice): boolean =>
    hellos.some(({ hello }) => equalBytes(hello.signingKey, signing));
  const names = [...new Set(devices.map(({ name }) => name))];
  return names.flatMap((name) => {
    const pairs = devices.filter((device) => device.name === name);
    const device = pairs.find(used) ?? pairs[0];
    return device === undefined ? [] : [device];
  });
}

function newest(messages: readonly Uint8Array[], recovery: Uint8Array): ReturnType<typeof acceptRoster> {
  let best: ReturnType<typeof acceptRoster> | undefined;
  let refusal: unknown;
  for (const message of messages) {
    try {
      const read = acceptRoster(message, pinnedOwner(recovery));
      if (best === undefined || isOlderRoster(orderOf(best), orderOf(read))) best = read;
    } catch (error) {
      if (!isSmartZoneError(error)) throw error;
      refusal = error;
    }
  }
  if (best === undefined) throw refusal;
  return best;
}

function orderOf({ roster, owners }: ReturnType<typeof acceptRoster>): RosterOrder {
  return rosterOrder(roster.version, owners);
}

async function listenForRetained(
  link: BrokerLink,
  prefixes: readonly string[],
  milliseconds: number,
): Promise<Found> {
  const found: Found = { rosters: [], hellos: [] };
  const receive =
    (read: (payload: Uint8Array, prefix: string) => void, end: string) =>
    ({ topic, payload }: { topic: string; payload: Uint8Array }): void => {
      try {
        if (payload.length > 0) read(payload, topic.slice(0, -end.length));
      } catch (error) {
        if (!isSmartZoneError(error)) throw error; // somebody's message that is none
      }
    };
  const places = new Set(['smartzone/+', ...prefixes]);
  const ends: (() => Promise<void>)[] = [];
  for (const place of places) {
    ends.push(
      await link.subscribe(
        `${place}/roster`,
        receive((payload) => found.rosters.push(payload), '/roster'),
      ),
      await link.subscribe(
        `${place}/hello`,
        receive((payload, prefix) => found.hellos.push({ prefix, hello: verifyHello(payload) }), '/hello'),
      ),
    );
  }
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  for (const end of ends) await end();
  return found;
}

function guessedPrefix(name: string): string {
  try {
    return new Topics(devicePrefix(name)).prefix;
  } catch {
    return 'smartzone/unknown';
  }
}
