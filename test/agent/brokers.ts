import { startBroker } from '../../broker-dev/broker.js';
import { findMosquitto, startMosquitto } from './mosquitto.js';

export interface RunningBroker {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

const mosquitto = findMosquitto();
if (!mosquitto) console.warn('mosquitto is not installed: its half of the broker tests is skipped');

/** The brokers that tests run against: one with MQTT 3.1.1 only, one with MQTT 5. */
export const brokers = [
  {
    name: 'broker-dev',
    protocol: '3.1.1',
    start: (port = 0): Promise<RunningBroker> => startBroker({ port }),
    run: describe,
  },
  {
    name: 'mosquitto',
    protocol: '5',
    start: (port?: number): Promise<RunningBroker> => startMosquitto(mosquitto ?? '', port ? { port } : {}),
    run: mosquitto ? describe : describe.skip,
  },
];
