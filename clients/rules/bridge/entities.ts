import { createHash } from 'node:crypto';
import { VERSION } from '../../../protocol/codes.js';
import { LEVEL_NAMES } from '../../owner/security-level.js';

/**
 * What Home Assistant is told about entities: the device-based discovery payload of
 * https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. A Smart Zone device becomes one device there, each sensor of it
 * another one behind it, so that a camera can be put into its room.
 */
export interface Announcement {
  readonly dev: {
    readonly identifiers: readonly string[];
    readonly name: string;
    readonly model: string;
    readonly sw_version?: string;
    readonly via_device?: string;
  };
  readonly o: { readonly name: string; readonly sw_version: string };
  readonly availability: readonly { readonly topic: string }[];
  readonly availability_mode: 'all';
  readonly qos: 1;
  readonly cmps: Readonly<Record<string, Component>>;
}

/** One entity; with `p` alone it is taken away. */
export interface Component {
  readonly p: 'binary_sensor' | 'sensor' | 'event' | 'update';
  readonly [key: string]: string | number | boolean | readonly string[];
}

export const ORIGIN = 'smart-zone';
/** What HA's event entities are told, in the words of the rules library. */
const EVENT_TYPES = ['new', 'update', 'end'] as const;
export const INSTALL = 'INSTALL';
/** HA reads this as "unknown". */
export const UNKNOWN = 'None';
/** HA keeps no longer states. */
export const LONGEST_STATE = 255;

/** Made from the kids alone: the same after a reinstallation, of the bridge or of Home Assistant. */
export const deviceId = (device: string): string => `smartzone_${device}`;
export const sensorId = (device: string, sensor: string): string => `smartzone_${device}_${sensor}`;

const OBJECT_ID = /^smartzone_([0-9a-f]{16})(?:_([0-9a-f]{16}))?$/;

export function parseObjectId(text: string): { device: string; sensor?: string } | undefined {
  const [, device, sensor] = OBJECT_ID.exec(text) ?? [];
  if (device === undefined) return undefined;
  return { device, ...(sensor === undefined ? {} : { sensor }) };
}

/** A class as part of topics and ids: readable, and different for each name whatever characters it has. */
export function classKey(name: string): string {
  const readable = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 24);
  return `${readable}_${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
}

/** Where the bridge publishes: under `base`, by kid. */
export class BridgeTopics {
  constructor(
    readonly base: string,
    readonly discovery: string,
  ) {}

  get status(): string {
    return `${this.base}/status`;
  }
  deviceStatus(device: string): string {
    return `${this.base}/${device}/status`;
  }
  update(device: string): string {
    return `${this.base}/${device}/model`;
  }
  install(device: string): string {
    return `${this.base}/${device}/model/install`;
  }
  ofDevice(device: string, what: 'security_level' | 'missed'): string {
    return `${this.base}/${device}/${what}`;
  }
  ofSensor(device: string, sensor: string, what: 'top' | 'score' | 'error' | 'event'): string {
    return `${this.base}/${device}/${sensor}/${what}`;
  }
  class(device: string, sensor: string, name: string): string {
    return `${this.base}/${device}/${sensor}/class/${classKey(name)}`;
  }
  config(objectId: string): string {
    return `${this.discovery}/device/${objectId}/config`;
  }
  /** Birth and last will of Home Assistant itself. */
  get homeAssistant(): string {
    return `${this.discovery}/status`;
  }
}

export interface DeviceFacts {
  readonly kid: string;
  readonly name: string;
  readonly taVersion: string;
  /** A model can be installed from Home Assistant. */
  readonly installable: boolean;
}

export function announceDevice(topics: BridgeTopics, device: DeviceFacts): Announcement {
  const id = deviceId(device.kid);
  return {
    ...common(topics, device.kid),
    dev: {
      identifiers: [id],
      name: shortened(device.name),
      model: 'Smart Zone device',
      sw_version: device.taVersion,
    },
    cmps: {
      model: {
        p: 'update',
        unique_id: `${id}_model`,
        name: 'Model',
        title: 'Model',
        state_topic: topics.update(device.kid),
        ...(device.installable
          ? { command_topic: topics.install(device.kid), payload_install: INSTALL, retain: false }
          : {}),
      },
      security_level: {
        p: 'sensor',
        unique_id: `${id}_security_level`,
        name: 'Security level',
        device_class: 'enum',
        options: LEVEL_NAMES,
        entity_category: 'diagnostic',
        state_topic: topics.ofDevice(device.kid, 'security_level'),
      },
      missed: {
        p: 'sensor',
        unique_id: `${id}_missed`,
        name: 'Missed labels',
        state_class: 'total_increasing',
        entity_category: 'diagnostic',
        state_topic: topics.ofDevice(device.kid, 'missed'),
      },
    },
  };
}

export interface SensorFacts {
  readonly kid: string;
  readonly name: string;
  readonly device: string;
  readonly classes: Iterable<string>;
  /** The model gives a reconstruction error, not classes. */
  readonly error: boolean;
}

export function announceSensor(topics: BridgeTopics, sensor: SensorFacts): Announcement {
  const { device, kid } = sensor;
  const id = sensorId(device, kid);
  const cmps: Record<string, Component> = {
    top: {
      p: 'sensor',
      unique_id: `${id}_top`,
      name: 'Top label',
      state_topic: topics.ofSensor(device, kid, 'top'),
    },
    score: {
      p: 'sensor',
      unique_id: `${id}_score`,
      name: 'Score',
      unit_of_measurement: '%',
      state_class: 'measurement',
      suggested_display_precision: 0,
      state_topic: topics.ofSensor(device, kid, 'score'),
    },
    event: {
      p: 'event',
      unique_id: `${id}_event`,
      name: 'Seen',
      event_types: EVENT_TYPES,
      state_topic: topics.ofSensor(device, kid, 'event'),
    },
  };
  if (sensor.error)
    cmps.error = {
      p: 'sensor',
      unique_id: `${id}_error`,
      name: 'Reconstruction error',
      state_class: 'measurement',
      state_topic: topics.ofSensor(device, kid, 'error'),
    };
  for (const name of sensor.classes)
    cmps[`class_${classKey(name)}`] = {
      p: 'binary_sensor',
      unique_id: `${id}_class_${classKey(name)}`,
      name: shortened(name),
      payload_on: 'ON',
      payload_off: 'OFF',
      state_topic: topics.class(device, kid, name),
    };
  return {
    ...common(topics, device),
    dev: {
      identifiers: [id],
      name: shortened(sensor.name),
      model: 'Smart Zone sensor',
      via_device: deviceId(device),
    },
    cmps,
  };
}

function common(topics: BridgeTopics, device: string): Omit<Announcement, 'dev' | 'cmps'> {
  return {
    o: { name: ORIGIN, sw_version: VERSION },
    // Both must say online: the bridge's will speaks for the bridge, the bridge for the device.
    availability: [{ topic: topics.status }, { topic: topics.deviceStatus(device) }],
    availability_mode: 'all',
    qos: 1,
  };
}

/** Text for a name or a state: without control characters, and no longer than Home Assistant keeps. */
export function shortened(text: string): string {
  // eslint-disable-next-line no-control-regex -- that is what is replaced
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');
  return [...clean].slice(0, LONGEST_STATE).join('');
}
