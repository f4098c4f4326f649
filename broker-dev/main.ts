#!/usr/bin/env node
import { Command, InvalidArgumentError } from 'commander';
import { AccessList } from './access.js';
import { startBroker } from './broker.js';

interface Options {
  port: number;
  host: string;
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
  acl?: string;
}

const port = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535) throw new InvalidArgumentError('0 to 65535');
  return value;
};

const program = new Command('broker-dev')
  .description(
    'Development MQTT broker (3.1.1, everything in memory). Not for production: use mosquitto or the like there.',
  )
  .option('--port <port>', 'port to listen on, 0 = any', port, 1883)
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--tls-cert <file>', 'PEM certificate: turns TLS on')
  .option('--tls-key <file>', 'PEM key of the certificate')
  .option('--tls-ca <file>', 'PEM certificate authority: demands client certificates, common name role:name')
  .option('--acl <file>', 'JSON {"prefix", "users": {"role:name": "password"}}: access by role');

const main = async (): Promise<void> => {
  const options = program.parse().opts<Options>();
  if ((options.tlsCert === undefined) !== (options.tlsKey === undefined))
    program.error('--tls-cert and --tls-key go together');
  if (options.tlsCa !== undefined && options.tlsCert === undefined)
    program.error('--tls-ca needs --tls-cert');
  const broker = await startBroker({
    port: options.port,
    host: options.host,
    ...(options.tlsCert !== undefined &&
      options.tlsKey !== undefined && {
        tls: {
          cert: options.tlsCert,
          key: options.tlsKey,
          ...(options.tlsCa !== undefined && { ca: options.tlsCa }),
        },
      }),
    ...(options.acl !== undefined && { access: AccessList.read(options.acl) }),
  });
  console.log(`listening on ${broker.url}`);
  const stop = (): void => void broker.stop().then(() => process.exit(0));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
};

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
