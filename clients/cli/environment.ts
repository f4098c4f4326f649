import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { SmartZoneError } from '../../protocol/errors.js';
import { devicePrefix, Topics } from '../../protocol/topics.js';
import { kidToHex } from '../../protocol/kid.js';
import {
  isRole,
  needsPassphrase,
  parsePublicLine,
  readKeyFile,
  type PartyKeys,
  type PartyPublic,
  type PartyRole,
} from '../keys/index.js';
import { BrokerLink } from '../link/index.js';
import { readConnection, type Connection } from './connection.js';
import { UsageError } from './exit-codes.js';
import { Output, printable } from './output.js';
import { connectionPath, defaultHome, keyPath, ownerLinePath } from './places.js';

/** Options that every command has. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly home?: string;
}

export interface BrokerFlags {
  readonly broker?: string;
  readonly username?: string;
  readonly passwordFile?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly tlsKey?: string;
}

export interface DeviceFlags {
  readonly device?: string;
  readonly prefix?: string;
}

export interface KeyFlags {
  readonly key?: string;
  readonly passphraseFile?: string;
}

export interface OwnerFlags {
  readonly owner?: string;
}

export const env = (name: string): string | undefined => {
  const value = process.env[name];
  return value === undefined || value === '' ? undefined : value;
};

export function withBroker(command: Command): Command {
  return command
    .option(
      '--broker <url>',
      'mqtt://host[:port] or mqtts://host[:port] (default: what an accepted invitation said, else mqtt://127.0.0.1:1883)',
      env('SMART_ZONE_BROKER_URL'),
    )
    .option('--username <name>', 'user name for the broker', env('SMART_ZONE_BROKER_USERNAME'))
    .option(
      '--password-file <file>',
      'file whose first line is the password',
      env('SMART_ZONE_BROKER_PASSWORD_FILE'),
    )
    .option(
      '--ca <file>',
      'PEM file of the authorities that vouch for the broker',
      env('SMART_ZONE_BROKER_TLS_CA'),
    )
    .option('--cert <file>', 'PEM file of a client certificate', env('SMART_ZONE_BROKER_TLS_CERT'))
    .option('--tls-key <file>', 'PEM file of its key', env('SMART_ZONE_BROKER_TLS_KEY'));
}

export function withDevice(command: Command): Command {
  return command
    .option('--device <name>', "the device's name in topics: smartzone/<name>", env('SMART_ZONE_DEVICE_NAME'))
    .option(
      '--prefix <topic>',
      'what its topics start with, where that is something else',
      env('SMART_ZONE_TOPIC_PREFIX'),
    );
}

export function withKey(command: Command, role: PartyRole): Command {
  return command
    .option('--key <file>', `key file (default: ${role}.key.json in the home folder)`)
    .option(
      '--passphrase-file <file>',
      'file whose first line opens the key file (or SMART_ZONE_PASSPHRASE)',
    );
}

export function withOwnerLine(command: Command): Command {
  return command.option(
    '--owner <line>',
    "the owner's public line, or a file with it (default: owner.pub in the home folder)",
    env('SMART_ZONE_OWNER'),
  );
}

/** What a command works with. Options are commander's, global ones included. */
export class Environment {
  readonly output: Output;
  readonly home: string;
  private readonly links: BrokerLink[] = [];
  private known: Connection | undefined;

  constructor(options: GlobalOptions) {
    this.output = new Output(options.json === true);
    this.home = options.home ?? defaultHome();
  }

  async keys(flags: KeyFlags, role: PartyRole): Promise<PartyKeys & { readonly path: string }> {
    const path = flags.key ?? keyPath(this.home, role);
    const keys = readKeyFile(
      path,
      needsPassphrase(path) ? { passphrase: await this.passphrase(flags, path) } : {},
    );
    if (keys.role !== role)
      throw new SmartZoneError('WRONG_ROLE', `${path} is the key of a ${keys.role}; this takes a ${role}'s`);
    return { ...keys, path };
  }

  /** From the file, the environment, or the terminal. */
  async passphrase(flags: KeyFlags, what: string): Promise<string> {
    if (flags.passphraseFile !== undefined) return firstLine(flags.passphraseFile);
    const given = env('SMART_ZONE_PASSPHRASE');
    if (given !== undefined) return given;
    if (!process.stdin.isTTY)
      throw new SmartZoneError('KEY_FILE', `${what}: no passphrase: give --passphrase-file`);
    return this.ask(`Passphrase for ${what}: `, false);
  }

  /** Asks on the terminal; without echo where it is a secret. */
  async ask(question: string, echo = true): Promise<string> {
    process.stderr.write(question);
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
    const terminal = createInterface({
      input: process.stdin,
      output: echo ? process.stderr : silent,
      terminal: true,
    });
    try {
      return await terminal.question('');
    } finally {
      terminal.close();
      if (!echo) process.stderr.write('\n');
    }
  }

  ownerLine(flags: OwnerFlags): PartyPublic {
    const given = flags.owner ?? ownerLinePath(this.home);
    const owner = parsePublicLine(given.startsWith('sz1.') ? given : readFileSync(given, 'utf8'));
    if (owner.role !== 'owner')
      throw new SmartZoneError('WRONG_ROLE', `--owner: the public line of a ${owner.role}`);
    return owner;
  }

  /** What an accepted invitation said of broker and device; nothing where there was none. */
  get connection(): Connection {
    return (this.known ??= readConnection(connectionPath(this.home)));
  }

  brokerUrl(flags: BrokerFlags): string {
    return flags.broker ?? this.connection.broker ?? 'mqtt://127.0.0.1:1883';
  }

  prefix(flags: DeviceFlags): string {
    try {
      if (flags.prefix !== undefined) return new Topics(flags.prefix).prefix;
      if (flags.device !== undefined) return devicePrefix(flags.device);
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
    if (this.connection.prefix !== undefined) return this.connection.prefix;
    throw new UsageError('which device? give --device <name> or --prefix <topic>');
  }

  /** @param identity stable for this party: what the broker keeps its session under */
  async link(
    flags: BrokerFlags,
    identity: { readonly role: string; readonly id: string },
    stay = false,
    connectTimeout = 10_000,
  ): Promise<BrokerLink> {
    const password = flags.passwordFile === undefined ? undefined : firstLine(flags.passwordFile);
    const link = await BrokerLink.connect({
      url: this.brokerUrl(flags),
      clientId: `smart-zone-${identity.role}-${identity.id}`,
      // Whoever does one thing and leaves wants nothing kept for it.
      ...(stay ? {} : { sessionExpiry: 0, connectTimeout }),
      ...(flags.username === undefined ? {} : { username: flags.username }),
      ...(password === undefined ? {} : { password }),
      ...(flags.ca === undefined ? {} : { ca: readFileSync(flags.ca) }),
      ...(flags.cert === undefined ? {} : { cert: readFileSync(flags.cert) }),
      ...(flags.tlsKey === undefined ? {} : { key: readFileSync(flags.tlsKey) }),
    });
    this.links.push(link);
    let away = false;
    link.on('retrying', ({ delay, reason }) => {
      away = true;
      this.output.note(
        `the broker is away: ${printable(reason)}; trying again in ${(delay / 1000).toFixed(1)} s`,
      );
    });
    link.on('connected', () => {
      if (away) this.output.note('the broker is back');
      away = false;
    });
    return link;
  }

  linkFor(flags: BrokerFlags, keys: PartyKeys, stay = false): Promise<BrokerLink> {
    return this.link(flags, { role: keys.role, id: kidToHex(keys.signing.kid) }, stay);
  }

  async close(): Promise<void> {
    for (const link of this.links.splice(0)) await link.close();
  }
}

/** Aborts with SIGINT and SIGTERM: for commands that go on until they are told to stop. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

export function parseRole(text: string): PartyRole {
  if (!isRole(text)) throw new UsageError(`no such role: ${text} (owner, sensor, rules or publisher)`);
  return text;
}

/** A number option of commander: checked, with the option's name in the error. */
export function numberOption(name: string, least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most))
      throw new UsageError(`${name}: a number from ${least} to ${most}, not ${text}`);
    return value;
  };
}

function firstLine(file: string): string {
  return readFileSync(file, 'utf8').split(/\r?\n/, 1)[0] ?? '';
}
