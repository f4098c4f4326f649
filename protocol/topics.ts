/** Topics (design: "Topics"): made here only, so that broker rules, agent and clients agree. */
import { kidFromHex, kidToHex, type Kid } from './kid.js';
import { fromHex, toHex } from './bytes.js';

const ROOT = 'smartzone';

/** Default prefix of a device's topics. @param device a name for the device, one topic level. */
export function devicePrefix(device: string): string {
  return `${ROOT}/${oneLevel(device)}`;
}

/** Prefix of a zone's sensor topics: several devices subscribe to them with `$share`. */
export function zonePrefix(zone: Kid): string {
  return `${ROOT}/zone/${kidToHex(zone)}`;
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
  /** Publisher: a ciphertext segment, by the SHA-256 of its bytes. */
  modelSegment(digest: Uint8Array | '+'): string {
    return `${this.prefix}/model/segment/${digest === '+' ? '+' : toHex(digest)}`;
  }
  /** Agent: the digests it lacks. */
  get modelWant(): string {
    return `${this.prefix}/model/want`;
  }
  /** TA, retained. */
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
    if (first === 'model' && id === 'segment' && last !== undefined && DIGEST.test(last))
      return { kind: 'modelSegment', digest: fromHex(last) };
    return undefined;
  }
}

const KID = /^[0-9a-f]{16}$/;
const DIGEST = /^[0-9a-f]{64}$/;

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

export type ParsedTopic =
  | { readonly kind: PlainTopic }
  | { readonly kind: KidTopic; readonly kid: Kid }
  | { readonly kind: 'modelSegment'; readonly digest: Uint8Array };

function level(kid: Kid | '+'): string {
  return kid === '+' ? '+' : kidToHex(kid);
}

function oneLevel(name: string): string {
  if (name === '' || name === 'zone' || /[/+#\0]/.test(name))
    throw new RangeError(`not a device name for topics: ${JSON.stringify(name)}`);
  return name;
}
