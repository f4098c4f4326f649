/** Topics: made here only, so that broker rules, agent and clients agree. */
import { kidFromHex, kidToHex, type Kid } from './kid.js';
import { toHex } from './bytes.js';

const ROOT = 'smartzone';

/** Default prefix of a device's topics. @param device a name for the device, one topic level. */
export function devicePrefix(device: string): string {
  return `${ROOT}/${oneLevel(device)}`;
}

/** Prefix of a zone's sensor topics: several devices subscribe to them with `$share`. */
export function zonePrefix(zone: Kid): string {
  return `${ROOT}/zone/${kidToHex(zone)}`;
}

/** Topics of one invitation. @param id of 8 bytes, drawn from its secret */
export class InvitationTopics {
  readonly prefix: string;

  constructor(id: Uint8Array) {
    this.prefix = `${ROOT}/invite/${toHex(id)}`;
  }

  /** The party to be: invite-request. */
  get request(): string {
    return `${this.prefix}/request`;
  }

  /** The owner: invite-reply. */
  get reply(): string {
    return `${this.prefix}/reply`;
  }
}

/**
 * Topics of a zone: its sensors publish here, whichever devices answer. Frames are dealt out to the devices that have the
 * sensor's channel: they subscribe to `shared`.
 */
export class ZoneTopics {
  readonly prefix: string;
  readonly #share: string;

  constructor(zone: Kid) {
    this.prefix = zonePrefix(zone);
    this.#share = kidToHex(zone);
  }

  /** Sensor, retained: zone offers. */
  offer(sensor: Kid | '+'): string {
    return `${this.prefix}/sensor/${level(sensor)}/offer`;
  }
  /** Sensor: frame records, QoS 1 with expiry. */
  frame(sensor: Kid): string {
    return `${this.prefix}/sensor/${level(sensor)}/frame`;
  }
  /** Subscription to a sensor's frames that each go to one of the devices (MQTT 5, section 4.8.2). */
  shared(sensor: Kid): string {
    return `$share/${this.#share}/${this.frame(sensor)}`;
  }
  /** TA, retained: each device has its own. */
  receipt(sensor: Kid, device: Kid | '+'): string {
    return `${this.prefix}/sensor/${level(sensor)}/receipt/${level(device)}`;
  }

  /** What devices subscribe to, or undefined where it is none of this zone. */
  parse(topic: string): { readonly kind: 'offer' | 'frame'; readonly sensor: Kid } | undefined {
    const start = `${this.prefix}/sensor/`;
    if (!topic.startsWith(start)) return undefined;
    const [id = '', kind, ...rest] = topic.slice(start.length).split('/');
    if (!KID.test(id) || (kind !== 'offer' && kind !== 'frame') || rest.length > 0) return undefined;
    return { kind, sensor: kidFromHex(id) };
  }
}

/** Where devices are found whose names are not known yet: hellos and rosters of every prefix smartzone/<name>. */
export const ANY_DEVICE = { hello: `${ROOT}/+/hello`, roster: `${ROOT}/+/roster` } as const;

/** Topics of one package, the same for all devices. @param manifestDigest its manifest's SHA-256 */
export class PackageTopics {
  readonly prefix: string;

  constructor(manifestDigest: Uint8Array) {
    this.prefix = `${ROOT}/model/${toHex(manifestDigest)}`;
  }

  /** Publisher, retained: model-package. */
  get announcement(): string {
    return `${this.prefix}/package`;
  }

  /** Publisher: one segment's ciphertext. */
  segment(index: number | '+'): string {
    return `${this.prefix}/segment/${index}`;
  }

  /** Index of a segment from its topic, or undefined where it is none of this package. */
  segmentOf(topic: string): number | undefined {
    const start = `${this.prefix}/segment/`;
    const index = topic.startsWith(start) ? topic.slice(start.length) : '';
    return /^(0|[1-9]\d{0,4})$/.test(index) ? Number(index) : undefined;
  }
}

/** Topics under one prefix, and the subscription filters over their variable levels. */
export class Topics {
  constructor(readonly prefix: string) {
    if (prefix === '' || /[+#\0]/.test(prefix) || prefix.startsWith('/') || prefix.endsWith('/'))
      throw new RangeError(`not a topic prefix: ${JSON.stringify(prefix)}`);
  }

  /** Agent, retained and will: init, online, degraded, offline. */
  get state(): string {
    return `${this.prefix}/state`;
  }
  /** TA, retained. */
  get hello(): string {
    return `${this.prefix}/hello`;
  }
  /** Owner, retained. */
  get roster(): string {
    return `${this.prefix}/roster`;
  }
  /** Owner: claim, reset. */
  get owner(): string {
    return `${this.prefix}/owner`;
  }
  /** TA: signed replies. */
  get ownerReply(): string {
    return `${this.prefix}/owner/reply`;
  }
  /** Anyone: a nonce of 8 to 64 bytes. */
  get evidenceRequest(): string {
    return `${this.prefix}/evidence`;
  }
  /** TA: evidence over that nonce. */
  get evidenceReply(): string {
    return `${this.prefix}/evidence/reply`;
  }
  /** TA: records. */
  get telemetry(): string {
    return `${this.prefix}/telemetry`;
  }
  /** Sensor, retained. */
  sensorOffer(sensor: Kid | '+'): string {
    return `${this.prefix}/sensor/${level(sensor)}/offer`;
  }
  /** Sensor: frame records, QoS 1 with expiry. */
  sensorFrame(sensor: Kid | '+'): string {
    return `${this.prefix}/sensor/${level(sensor)}/frame`;
  }
  /** TA, retained. */
  sensorReceipt(sensor: Kid | '+'): string {
    return `${this.prefix}/sensor/${level(sensor)}/receipt`;
  }
  /** Rules host, retained. */
  rulesHello(rulesHost: Kid | '+'): string {
    return `${this.prefix}/rules/${level(rulesHost)}/hello`;
  }
  /** TA, retained: label offers. */
  rulesOffer(rulesHost: Kid | '+'): string {
    return `${this.prefix}/rules/${level(rulesHost)}/offer`;
  }
  /** TA: label records, by the sensor whose frames they answer. */
  label(sensor: Kid | '+'): string {
    return `${this.prefix}/label/${level(sensor)}`;
  }
  /** Publisher, retained. */
  get modelOffer(): string {
    return `${this.prefix}/model/offer`;
  }
  /** Agent: which segments of which package it lacks. */
  get modelWant(): string {
    return `${this.prefix}/model/want`;
  }
  /** Agent, retained: progress, and the TA's signed word. */
  get modelStatus(): string {
    return `${this.prefix}/model/status`;
  }

  /** What a topic is, or undefined where it is none of this prefix. */
  parse(topic: string): ParsedTopic | undefined {
    if (!topic.startsWith(`${this.prefix}/`)) return undefined;
    const path = topic.slice(this.prefix.length + 1);
    const plain = PLAIN.get(path);
    if (plain !== undefined) return { kind: plain };
    const [first = '', id = '', last, ...rest] = path.split('/');
    if (rest.length > 0) return undefined;
    const kind = WITH_KID.get(last === undefined ? first : `${first}/${last}`);
    if (kind !== undefined) return KID.test(id) ? { kind, kid: kidFromHex(id) } : undefined;
    return undefined;
  }
}

const KID = /^[0-9a-f]{16}$/;

const PLAIN = new Map([
  ['state', 'state'],
  ['hello', 'hello'],
  ['roster', 'roster'],
  ['owner', 'owner'],
  ['owner/reply', 'ownerReply'],
  ['evidence', 'evidenceRequest'],
  ['evidence/reply', 'evidenceReply'],
  ['telemetry', 'telemetry'],
  ['model/offer', 'modelOffer'],
  ['model/want', 'modelWant'],
  ['model/status', 'modelStatus'],
] as const) as ReadonlyMap<string, PlainTopic>;

const WITH_KID = new Map([
  ['sensor/offer', 'sensorOffer'],
  ['sensor/frame', 'sensorFrame'],
  ['sensor/receipt', 'sensorReceipt'],
  ['rules/hello', 'rulesHello'],
  ['rules/offer', 'rulesOffer'],
  ['label', 'label'],
] as const) as ReadonlyMap<string, KidTopic>;

export type PlainTopic =
  | 'state'
  | 'hello'
  | 'roster'
  | 'owner'
  | 'ownerReply'
  | 'evidenceRequest'
  | 'evidenceReply'
  | 'telemetry'
  | 'modelOffer'
  | 'modelWant'
  | 'modelStatus';

export type KidTopic =
  'sensorOffer' | 'sensorFrame' | 'sensorReceipt' | 'rulesHello' | 'rulesOffer' | 'label';

export type ParsedTopic = { readonly kind: PlainTopic } | { readonly kind: KidTopic; readonly kid: Kid };

function level(kid: Kid | '+'): string {
  return kid === '+' ? '+' : kidToHex(kid);
}

function oneLevel(name: string): string {
  if (name === '' || name === 'zone' || name === 'model' || name === 'invite' || /[/+#\0]/.test(name))
    throw new RangeError(`not a device name for topics: ${JSON.stringify(name)}`);
  return name;
}
