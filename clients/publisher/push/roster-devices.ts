import { toHex } from '../../../protocol/bytes.js';
import { isSmartZoneError, SmartZoneError } from '../../../protocol/errors.js';
import { kidToHex, signingKid } from '../../../protocol/kid.js';
import { verifyHello } from '../../../protocol/messages/hello.js';
import type { Roster } from '../../../protocol/messages/roster.js';
import { Witness } from '../../keys/index.js';
import type { BrokerLink, LinkMessage } from '../../link/index.js';
import { DeviceTrust } from '../../trust/index.js';

/** A device of the roster, and where it answers. */
export interface RosterDevicePlace {
  readonly name: string;
  /** undefined: no hello of it was heard. */
  readonly prefix: string | undefined;
}

export interface RosterDevicesOptions {
  readonly link: BrokerLink;
  /** The pinned owner's Ed25519 key. */
  readonly owner: Uint8Array;
  /** `all`, or `zone:` and the zone's identifier in hexadecimal. */
  readonly which: string;
  /** How long to listen, in milliseconds, where not every device is heard before. Default 3000. */
  readonly waitMs?: number;
}

/**
 * The devices that the owner's newest roster names, with the topics on which each says its signed hello. Topics under
 * `smartzone/<name>` are listened to: a device with others is named without them.
 * @throws TIMED_OUT where no roster of this owner is retained, BAD_REQUEST where it has no such zone
 */
export const rosterDevices = async ({
  link,
  owner,
  which,
  waitMs = 3_000,
}: RosterDevicesOptions): Promise<RosterDevicePlace[]> => {
  const hellos = new Map<string, string>();
  // Knows which roster is the newest, also over successions of owner keys.
  const trust = new DeviceTrust(owner, Witness.open(undefined, signingKid(owner)));
  const read = (take: (message: LinkMessage) => void) => (message: LinkMessage) => {
    try {
      take(message);
    } catch (error) {
      if (!isSmartZoneError(error)) throw error; // not this owner's, or not what it should be
    }
  };
  const root = 'smartzone/+';
  const ends = [
    await link.subscribe(
      `${root}/roster`,
      read(({ payload }) => trust.receiveRoster(payload)),
    ),
    await link.subscribe(
      `${root}/hello`,
      read(({ topic, payload }) => {
        hellos.set(kidToHex(verifyHello(payload).device), topic.slice(0, -'/hello'.length));
      }),
    ),
  ];
  const places = (): RosterDevicePlace[] =>
    devicesOf(trust.roster, which).map(({ name, kid }) => ({ name, prefix: hellos.get(kid) }));
  const end = Date.now() + waitMs;
  while (
    Date.now() < end &&
    (trust.roster === undefined || places().some(({ prefix }) => prefix === undefined))
  )
    await new Promise((resolve) => setTimeout(resolve, 20));
  for (const unsubscribe of ends) await unsubscribe();
  if (trust.roster === undefined)
    throw new SmartZoneError('TIMED_OUT', 'no roster of this owner is retained at the broker');
  return places();
};

const devicesOf = (roster: Roster | undefined, which: string): { name: string; kid: string }[] => {
  const devices = (roster?.devices ?? []).map(({ name, signingKey }) => ({
    name,
    kid: kidToHex(signingKid(signingKey)),
  }));
  if (which === 'all' || roster === undefined) return devices;
  const id = which.replace(/^zone:/, '');
  const zone = roster.zones.find((each) => toHex(each.id) === id);
  if (zone === undefined) throw new SmartZoneError('BAD_REQUEST', `the roster has no zone ${id}`);
  const members = new Set(zone.devices.map(kidToHex));
  return devices.filter(({ kid }) => members.has(kid));
};
