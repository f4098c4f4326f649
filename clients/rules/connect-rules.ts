import { existsSync, readFileSync } from 'node:fs';
import { SmartZoneError } from '../../protocol/errors.js';
import { kidToHex } from '../../protocol/kid.js';
import { devicePrefix, Topics } from '../../protocol/topics.js';
import { parsePublicLine, readKeyFile, Witness, type PartyKeys, type PartyPublic } from '../keys/index.js';
import { BrokerLink, type LinkOptions } from '../link/index.js';
import { ZoneWatch } from '../trust/index.js';
import { ActedFrames } from './acted-frames.js';
import type { TrackerOptions } from './event-tracker.js';
import type { RulesOptions } from './rules-options.js';
import { Rules } from './rules.js';
import { systemClock, type RuleClock } from './timers.js';

/** A device by its name, or by what its topics start with where that is not smartzone/<name>. */
export type DeviceChoice = string | { readonly prefix: string };

export interface ConnectRulesOptions extends Pick<RulesOptions, 'maxAge' | 'models' | 'heldRecords'> {
  /** Address, or all of the connection's options, or an open connection, which the caller closes. */
  readonly broker: string | (Omit<LinkOptions, 'clientId'> & { readonly clientId?: string }) | BrokerLink;
  readonly devices?: readonly DeviceChoice[];
  /**
   * Zones of the roster, by name or id: all their devices, also those that join later. Their topics must start with
   * smartzone/<name>. Each frame is acted on once, whichever devices label it.
   */
  readonly zones?: readonly string[];
  /** A key file of the role rules, or its keys. */
  readonly key: string | PartyKeys;
  /** Opens the key file, where it is sealed. */
  readonly passphrase?: string;
  /** The owner's public line (sz1.owner.…), a file with it, or as parsed. */
  readonly owner: string | PartyPublic;
  /**
   * Where what each device has shown is kept, by prefix. Default: beside the key file; nowhere where `key` is no file. Without
   * it a restart forgets, and old state could be shown to it.
   */
  readonly seenPath?: (prefix: string) => string;
  /** How detections become events. */
  readonly events?: TrackerOptions;
  readonly clock?: RuleClock;
}

/** File of what a rules host has seen of the device behind a prefix: each has its own counters. */
export function deviceSeenPath(keyFile: string, prefix: string): string {
  return `${keyFile.replace(/(\.key)?\.json$/, '')}.${prefix.replace(/[^A-Za-z0-9_-]+/g, '-')}.seen.json`;
}

/**
 * Connects a rules host to its devices; resolves when everything is subscribed. Attach listeners, or start to iterate, right
 * after that: events that come before are kept until the next turn of the event loop. Reconnects by itself until `close`.
 * @throws KEY_FILE, WRONG_ROLE, BROKER_UNREACHABLE; RangeError for a name that is no topic level
 */
export async function connectRules(options: ConnectRulesOptions): Promise<Rules> {
  const { key, passphrase } = options;
  const keys =
    typeof key === 'string' ? readKeyFile(key, passphrase === undefined ? {} : { passphrase }) : key;
  const owner = readOwner(options.owner);
  const { zones = [] } = options;
  const prefixes = (options.devices ?? []).map((each) =>
    typeof each === 'string' ? devicePrefix(each) : new Topics(each.prefix).prefix,
  );
  if (prefixes.length + zones.length === 0 || new Set(prefixes).size !== prefixes.length)
    throw new SmartZoneError('CONFIG_INVALID', 'devices, zones: name at least one, and each once');
  const given = options.broker;
  const link =
    given instanceof BrokerLink
      ? given
      : await BrokerLink.connect({
          clientId: `smart-zone-rules-${kidToHex(keys.signing.kid)}`,
          ...(typeof given === 'string' ? { url: given } : given),
        });
  const rules = new Rules(link, link !== given, options.clock ?? systemClock, options.events);
  const seenPath =
    options.seenPath ??
    (typeof key === 'string' ? (prefix: string) => deviceSeenPath(key, prefix) : undefined);
  const acted = new ActedFrames(options.maxAge);
  const add = (prefix: string): Promise<void> =>
    rules.add(prefix, {
      link,
      keys,
      owner,
      prefix,
      acted,
      ...(seenPath === undefined ? {} : { seenPath: seenPath(prefix) }),
      ...(options.maxAge === undefined ? {} : { maxAge: options.maxAge }),
      ...(options.models === undefined ? {} : { models: options.models }),
      ...(options.heldRecords === undefined ? {} : { heldRecords: options.heldRecords }),
      ...(options.clock === undefined ? {} : { clock: () => rules.clock.now() }),
    });
  try {
    for (const prefix of prefixes) await add(prefix);
    for (const zone of zones) {
      const witness = Witness.open(seenPath?.(`zone/${zone}`), owner.kid);
      await rules.follow(new ZoneWatch(link, zone, owner.signing, witness), add);
    }
  } catch (error) {
    await rules.close();
    throw error;
  }
  rules.start();
  return rules;
}

function readOwner(given: string | PartyPublic): PartyPublic {
  if (typeof given !== 'string') return given;
  if (!given.startsWith('sz1.') && !existsSync(given))
    throw new SmartZoneError('KEY_FILE', `owner: neither a public line nor a file: ${given}`);
  return parsePublicLine(given.startsWith('sz1.') ? given : readFileSync(given, 'utf8'));
}
