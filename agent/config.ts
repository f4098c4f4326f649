import convict from 'convict';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { configSchema } from './config-schema.js';

/** What the agent runs on: the schema's values, with derived defaults filled in. Do not change it. */
export interface Config {
  readonly development: boolean;
  readonly device: { readonly name: string };
  readonly topics: { readonly prefix: string };
  readonly broker: BrokerConfig;
  readonly queue: { readonly depth: number };
  readonly labels: { readonly expirySeconds: number };
  readonly tee: TeeConfig;
  readonly models: { readonly directory: string; readonly maxMebibytes: number };
  readonly receipts: { readonly frames: number; readonly intervalMs: number };
  readonly telemetry: { readonly intervalMs: number };
  readonly log: { readonly level: 'error' | 'warn' | 'info' | 'debug' };
  readonly health: { readonly port: number };
  readonly watchdog: { readonly enabled: boolean };
}

export interface BrokerConfig {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly passwordFile: string;
  readonly clientId: string;
  readonly protocol: 'auto' | '5' | '3.1.1';
  readonly sessionExpirySeconds: number;
  readonly keepaliveSeconds: number;
  readonly connectTimeoutMs: number;
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  readonly tls: {
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
    readonly verify: boolean;
  };
}

export interface TeeConfig {
  readonly library: string;
  readonly addon: string;
  readonly uuid: string;
  readonly bufferSize: number;
  readonly deadlineMs: number;
  readonly restartMaxMs: number;
  readonly storageDir: string;
}

/** The configuration cannot be used. The message names the key (or file) and what it must be. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(
    readonly key: string,
    problem: string,
  ) {
    super(`${key}: ${problem}`);
  }
}

export interface ConfigSources {
  /** JSON files; later ones win. */
  readonly files?: readonly string[];
  /** Environment variables; they win over files. Default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** `key=value` as given to --set; these win over everything. */
  readonly set?: readonly string[];
}

/** Reads, merges and checks a configuration. Throws ConfigError. */
export const loadConfig = ({ files = [], env = {}, set = [] }: ConfigSources = {}): Config => {
  // args: convict would read process.argv by default.
  const loaded = convict<Config>(configSchema as unknown as convict.Schema<Config>, {
    env: { ...env },
    args: [],
  });
  for (const file of files) loaded.load(parseFile(file));
  for (const assignment of set) assign(loaded, assignment);
  try {
    loaded.validate({ allowed: 'strict' });
  } catch (error) {
    throw readable(error as Error);
  }
  const config = withDerivedDefaults(loaded.getProperties(), env);
  checkAcrossKeys(config);
  return config;
};

const parseFile = (file: string): Config => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigError(file, `cannot be read as JSON: ${(error as Error).message}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new ConfigError(file, 'must contain one JSON object');
  return parsed as Config;
};

const assign = (loaded: convict.Config<Config>, assignment: string): void => {
  const at = assignment.indexOf('=');
  if (at < 1) throw new ConfigError(assignment, '--set takes key=value');
  const key = assignment.slice(0, at);
  const schema = configKeys().find((known) => known.key === key);
  if (!schema) throw new ConfigError(key, 'there is no such key');
  const value = assignment.slice(at + 1);
  (loaded as unknown as { set(key: string, value: unknown): void }).set(key, typed(value, schema.default));
};

/** Text from outside becomes what the default is; text that is not becomes an error in validate(). */
const typed = (value: string, like: unknown): unknown => {
  if (typeof like === 'number' && /^-?\d+$/.test(value)) return Number(value);
  if (typeof like === 'boolean' && /^(true|false)$/.test(value)) return value === 'true';
  return value;
};

/** convict reports one line per problem as "key: problem: value was …"; the first is enough, the value may be a secret. */
const readable = (error: Error): ConfigError => {
  const line = error.message.split('\n').find((text) => text.trim() !== '') ?? error.message;
  const undeclared = /configuration param '([^']+)' not declared/.exec(line);
  if (undeclared) return new ConfigError(undeclared[1] ?? line, 'there is no such key');
  const at = line.indexOf(': ');
  const key = at < 0 ? line.trim() : line.slice(0, at).trim();
  const problem = at < 0 ? 'is not valid' : line.slice(at + 2).replace(/: value was .*$/s, '');
  return new ConfigError(key, problem);
};

const withDerivedDefaults = (config: Config, env: NonNullable<ConfigSources['env']>): Config => {
  // STATE_DIRECTORY is set by systemd for StateDirectory=.
  const state =
    env['STATE_DIRECTORY']?.split(':')[0] ??
    join(env['XDG_STATE_HOME'] ?? join(env['HOME'] ?? homedir(), '.local', 'state'), 'smart-zone');
  const { name } = config.device;
  const { tls } = config.broker;
  return {
    ...config,
    topics: { prefix: config.topics.prefix || `smartzone/${name}` },
    broker: {
      ...config.broker,
      clientId: config.broker.clientId || `smart-zone-${name}`,
      passwordFile: fileNamed(config.broker.passwordFile, env),
      tls: {
        ...tls,
        ca: fileNamed(tls.ca, env),
        cert: fileNamed(tls.cert, env),
        key: fileNamed(tls.key, env),
      },
    },
    tee: { ...config.tee, storageDir: config.tee.storageDir || join(state, 'tee') },
    models: { ...config.models, directory: config.models.directory || join(state, 'models') },
  };
};

/** `credential:NAME` is the file that systemd put there for LoadCredential=NAME:… (systemd.exec, "Credentials"). */
const fileNamed = (value: string, env: NonNullable<ConfigSources['env']>): string => {
  const name = /^credential:(.*)$/s.exec(value)?.[1];
  if (name === undefined) return value;
  const folder = env['CREDENTIALS_DIRECTORY'];
  if (folder === undefined)
    throw new ConfigError(value, 'there are no credentials: the unit needs LoadCredential=');
  if (!/^[^/]+$/.test(name) || name === '.' || name === '..')
    throw new ConfigError(value, 'a credential has a name without slashes');
  return join(folder, name);
};

const checkAcrossKeys = ({ development, broker }: Config): void => {
  const { tls } = broker;
  if (!tls.verify && !development)
    throw new ConfigError('broker.tls.verify', 'may be false only with development = true');
  if ((tls.cert === '') !== (tls.key === ''))
    throw new ConfigError(tls.cert ? 'broker.tls.key' : 'broker.tls.cert', 'certificate and key go together');
  for (const key of ['ca', 'cert', 'key'] as const)
    if (tls[key] !== '' && !existsSync(tls[key]))
      throw new ConfigError(`broker.tls.${key}`, `there is no file ${tls[key]}`);
  if (broker.passwordFile !== '' && !existsSync(broker.passwordFile))
    throw new ConfigError('broker.passwordFile', `there is no file ${broker.passwordFile}`);
  if (broker.reconnectMinMs > broker.reconnectMaxMs)
    throw new ConfigError('broker.reconnectMaxMs', 'must not be below broker.reconnectMinMs');
};

/** One entry of the schema. */
export interface ConfigKey {
  readonly key: string;
  readonly env: string;
  readonly default: unknown;
  readonly doc: string;
}

/** All keys, in the schema's order. */
export const configKeys = (node: object = configSchema, path = ''): ConfigKey[] =>
  Object.entries(node as Record<string, object>).flatMap(([name, child]) => {
    const key = path ? `${path}.${name}` : name;
    return 'doc' in child ? [{ ...(child as Omit<ConfigKey, 'key'>), key }] : configKeys(child, key);
  });

/** Keys that differ between two configurations, as dotted names. */
export const changedKeys = (before: Config, after: Config): string[] => {
  const changes: string[] = [];
  const compare = (path: string, a: unknown, b: unknown): void => {
    if (typeof a === 'object' && a !== null && typeof b === 'object' && b !== null) {
      for (const key of Object.keys(a))
        compare(
          path ? `${path}.${key}` : key,
          (a as Record<string, unknown>)[key],
          (b as Record<string, unknown>)[key],
        );
    } else if (a !== b) changes.push(path);
  };
  compare('', before, after);
  return changes;
};

/** Keys that a running agent takes over on SIGHUP; all others need a restart. */
const LIVE = /^(queue|labels|receipts|telemetry|log)\./;
export const isLiveKey = (key: string): boolean => LIVE.test(key);
