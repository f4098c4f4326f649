/** Rosters made from the owner's book: written there first, then published. */
import { SmartZoneError } from '../../protocol/errors.js';
import type { SigningKey } from '../../protocol/keys.js';
import { MOST_LINKS } from '../../protocol/messages/owners.js';
import { signRoster, type Roster } from '../../protocol/messages/roster.js';
import { Topics } from '../../protocol/topics.js';
import type { BrokerLink } from '../link/index.js';
import type { BookContent, BookDevice, OwnerBook } from './book.js';
import { rosterZones } from './zones.js';

/**
 * Writes the change and the next roster into the book, in one step.
 * @param seconds Unix time
 * @param atLeast the version, where it must be higher than the next: after the book was lost
 * @throws LIMIT_REACHED where there is no higher version, and no new owner keys to begin anew with
 * @returns the roster's version
 */
export function issueRoster(
  book: OwnerBook,
  signer: SigningKey,
  seconds: number,
  change: Partial<BookContent>,
  atLeast = 0,
): number {
  const content = { ...book.content, ...change };
  const version = nextVersion(book.content, content, atLeast);
  const roster: Roster = {
    version,
    issued: seconds,
    members: content.members.map(({ signing, agreement, role, name, notAfter }) => ({
      signingKey: signing,
      agreementKey: agreement,
      role,
      name,
      ...(notAfter === undefined ? {} : { notAfter }),
    })),
    devices: content.devices.flatMap((device) =>
      // Both pairs while one takes the place of the other: nobody is left out in between.
      [device, ...(device.next === undefined ? [] : [device.next])].map(({ signing, agreement }) => ({
        signingKey: signing,
        agreementKey: agreement,
        securityLevel: device.level,
        name: device.name,
      })),
    ),
    zones: rosterZones(content),
    ...(content.lease === undefined ? {} : { lease: content.lease }),
    ...(content.succession.length === 0 ? {} : { succession: content.succession.slice(-MOST_LINKS) }),
  };
  book.update({ ...change, rosterVersion: version, roster: signRoster(roster, signer) });
  return version;
}

/** Under new owner keys any version is newer. They need that where a stolen key has signed the highest one. */
function nextVersion(before: BookContent, { owners, rosterVersion }: BookContent, atLeast: number): number {
  const next = Math.max(rosterVersion + 1, atLeast);
  if (Number.isSafeInteger(next)) return next;
  if (owners.generation > before.owners.generation) return Math.max(1, atLeast);
  throw new SmartZoneError('LIMIT_REACHED', 'there is no higher roster version: smart-zone owner rotate-key');
}

/**
 * Publishes the newest roster, retained, to all devices of the book.
 * @param more devices that are no longer in it, and are to learn so
 * @throws NOT_CLAIMED while there is none
 */
export async function publishRoster(
  book: OwnerBook,
  link: BrokerLink,
  more: readonly BookDevice[] = [],
): Promise<void> {
  const { roster, devices } = book.content;
  if (roster === undefined) throw new SmartZoneError('NOT_CLAIMED', 'there is no roster yet');
  const prefixes = new Set([...devices, ...more].map(({ prefix }) => prefix));
  for (const prefix of prefixes) await link.publish(new Topics(prefix).roster, roster, { retain: true });
}
