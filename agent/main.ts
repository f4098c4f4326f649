#!/usr/bin/env node
import { Command, Option } from 'commander';
import { existsSync } from 'node:fs';
import { VERSION } from '../protocol/codes.js';
import { Agent } from './agent.js';
import { ConfigError, configKeys, loadConfig, type Config } from './config.js';
import { Log } from './log.js';

/** sysexits.h: EX_UNAVAILABLE and EX_CONFIG; the unit does not restart after them. */
const EXIT_UNAVAILABLE = 69;
const EXIT_CONFIG = 78;
const SYSTEM_CONFIG = '/etc/smart-zone/agent.json';

interface Options {
  readonly config: string[];
  readonly set: string[];
  readonly check?: boolean;
  readonly keys?: boolean;
}

const collect = (value: string, before: string[]): string[] => [...before, value];

const parseOptions = (): Options =>
  new Command('smart-zone-agent')
    .description('Takes sealed frames from an MQTT broker to a trusted application and sealed labels back.')
    .version(VERSION)
    .addOption(
      new Option('-c, --config <file>', 'configuration file (JSON), repeatable')
        .argParser(collect)
        .default([], SYSTEM_CONFIG),
    )
    .addOption(
      new Option('-s, --set <key=value>', 'one configuration value, repeatable')
        .argParser(collect)
        .default([], 'none'),
    )
    .option('--check', 'check the configuration and print it, passwords left out')
    .option('--keys', 'print every configuration key with its environment variable, default and meaning')
    .parse()
    .opts<Options>();

const readConfig = ({ config, set }: Options): Config => {
  const files = config.length > 0 ? config : [SYSTEM_CONFIG].filter((file) => existsSync(file));
  return loadConfig({ files, set, env: process.env });
};

const run = async (options: Options, config: Config): Promise<void> => {
  const log = Log.forProcess(config.log.level);
  const agent = await Agent.create(config, { log, env: process.env });
  const stop = (signal: string): void => {
    log.info('received a signal', { signal });
    agent.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error('stopping failed', { reason: (error as Error).message });
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => {
    let next: Config;
    try {
      next = readConfig(options);
    } catch (error) {
      log.error('kept the configuration, the new one is not valid', { reason: (error as Error).message });
      void agent.keepConfiguration();
      return;
    }
    void agent.reload(next);
  });
  await agent.start();
};

const main = async (): Promise<void> => {
  const options = parseOptions();
  if (options.keys) {
    for (const { key, env, default: value, doc } of configKeys())
      console.log(`${key} (${env}, default ${JSON.stringify(value)})\n    ${doc}`);
    return;
  }
  if (process.platform !== 'linux') {
    console.error('smart-zone-agent needs Linux: the TEE drivers and the software TEE exist only there.');
    process.exit(EXIT_UNAVAILABLE);
  }
  let config: Config;
  try {
    config = readConfig(options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(`smart-zone-agent: ${error.message}`);
    process.exit(EXIT_CONFIG);
  }
  if (options.check) {
    const { broker } = config;
    const shown = { ...config, broker: { ...broker, password: broker.password && '[left out]' } };
    console.log(JSON.stringify(shown, null, 2));
    return;
  }
  await run(options, config);
};

main().catch((error: unknown) => {
  console.error(`smart-zone-agent: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
