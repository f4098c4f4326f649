/** Every message that TypeScript writes is an item of protocol/smart-zone.cddl, and reads back as what was written. */
import { readFileSync } from 'node:fs';
import * as sz from '../../protocol/index.js';
import { parseGrammar } from './grammar.js';
import { validate } from './validate.js';

const grammar = parseGrammar(
  readFileSync(new URL('../../protocol/smart-zone.cddl', import.meta.url), 'utf8'),
);
const covered = new Set<string>();

function isItemOf(rule: string, bytes: Uint8Array): void {
  covered.add(rule);
  expect(validate(grammar, rule, bytes)).toBeUndefined();
  // Not vacuous: the same bytes wrapped in an array are no item of it.
  expect(validate(grammar, rule, sz.encodeDeterministic([bytes]))).toEqual(expect.any(String));
}

const fill = (length: number, value: number) => new Uint8Array(length).fill(value);
const device = sz.SigningKey.fromSeed(fill(32, 1));
const deviceAgreement = sz.AgreementKey.fromScalar(fill(32, 2));
const prekey = sz.AgreementKey.fromScalar(fill(32, 3));
const sensor = sz.SigningKey.fromSeed(fill(32, 4));
const rulesHost = sz.SigningKey.fromSeed(fill(32, 5));
const owner = sz.SigningKey.fromSeed(fill(32, 6));
const publisher = sz.SigningKey.fromSeed(fill(32, 7));
const bootNonce = fill(16, 8);
const channel = sz.asChannelId(fill(8, 9));
const inputShape: sz.InputShape = { format: 'u8', dims: [128, 128, 3] };

/** Opens `signed<encrypted>` with a context and additional data that are put together here from the grammar's words. */
function plaintextOf(purpose: string, bytes: Uint8Array, sender: sz.Kid, receiver: sz.Receiver): Uint8Array {
  const { payload } = sz.parseProfiledSign1(bytes);
  if (payload === null) throw new Error('no payload');
  isItemOf('encrypted', payload);
  const context = sz.encodeDeterministic([1, purpose, sender, receiver.id, receiver.freshness]);
  isItemOf('hpke-context', context);
  return sz.openEncrypt(payload, prekey, context, sz.utf8(`smart-zone/1/${purpose}`));
}

const hello: sz.Hello = {
  signingKey: device.publicKey,
  agreementKey: deviceAgreement.publicKey,
  bootNonce,
  prekey: prekey.publicKey,
  rosterVersion: 3,
  modelSequence: 0,
  taVersion: '0.1.0',
  securityLevel: 0,
  packingTarget: 'ref',
};

test.each<[string, Partial<sz.Hello>]>([
  ['claimed, without a model', {}],
  ['unclaimed', { claimNonce: fill(16, 10), rosterVersion: 0 }],
  ['with a model', { modelSequence: 2 ** 40, inputShape }],
  ['gone back to an older model', { modelSequence: 4, modelFloor: 5, inputShape }],
])('hello, %s', (_what, change) => {
  const value = { ...hello, ...change };
  const bytes = sz.signHello(value, device);
  isItemOf('hello', bytes);
  expect(sz.verifyHello(bytes)).toEqual({ ...value, device: device.kid });
});

test.each<[string, Partial<sz.DeviceModelStatus>]>([
  ['none', {}],
  [
    'on trial, after one that was refused',
    {
      loaded: true,
      committed: [5, fill(32, 50)],
      trial: [12, 1],
      previous: [4, fill(32, 51)],
      refused: [6, 508],
    },
  ],
])('model status, %s', (_what, change) => {
  const value = { device: device.kid, bootNonce, floor: 5, loaded: false, ...change };
  const bytes = sz.signModelStatus(value, device);
  isItemOf('model-status', bytes);
  if (value.committed) isItemOf('committed-model', sz.encodeDeterministic([...value.committed]));
  expect(sz.verifyModelStatus(bytes, device.publicKey)).toEqual(value);
});

test('model announcement and want', () => {
  const value = {
    envelope: sz.sealModelEnvelope(
      {
        sequence: 5,
        headerDigest: fill(32, 52),
        headerSize: 100,
        leastTaVersion: 1,
        memory: 1000,
        target: 'ref',
      },
      publisher,
    ).envelope,
    segments: [
      [100, fill(32, 52)],
      [2000, fill(32, 53)],
    ] as const,
  };
  const bytes = sz.signModelAnnouncement(value, publisher);
  isItemOf('model-package', bytes);
  expect(sz.verifyModelAnnouncement(bytes, () => publisher.publicKey)).toEqual(value);
  const want = { manifestDigest: fill(32, 54), segments: [0, 9, 17] };
  isItemOf('model-want', sz.encodeModelWant(want));
  expect(sz.decodeModelWant(sz.encodeModelWant(want))).toEqual(want);
  expect(sz.decodeModelWant(sz.encodeModelWant({ ...want, segments: [] })).segments).toEqual([]);
});

test('evidence', () => {
  const value: sz.Evidence = {
    nonce: fill(32, 11),
    debug: 0,
    bootNonce,
    softwareVersion: ['0.1.0'],
    taUuid: fill(16, 12),
    rosterVersion: 3,
    modelSequence: 1,
    securityLevel: 0,
    items: new Map([
      ['tee', { value: 'software', measured: true }],
      ['antiRollback', { value: 100, measured: true }],
      ['hardwareKey', { value: false, measured: false }],
    ]),
  };
  const bytes = sz.signEvidence(value, device);
  isItemOf('evidence', bytes);
  expect(sz.verifyEvidence(bytes, device.publicKey, value.nonce)).toEqual(value);
});

test.each<[string, sz.OwnerAction]>([
  ['claim', { type: 'claim', owners: [owner.publicKey, publisher.publicKey], generation: 3 }],
  ['reset', { type: 'reset' }],
  ['rollback', { type: 'rollback' }],
  ['rebase', { type: 'rebase', floor: 2 ** 33 }],
  ['rotate', { type: 'rotate' }],
])('owner statement and reply: %s', (_what, action) => {
  const statement: sz.OwnerStatement = {
    device: device.kid,
    counter: 1,
    nonce: bootNonce,
    time: 1_790_000_000,
    action,
  };
  const bytes = sz.signOwnerStatement(statement, owner);
  isItemOf('owner-statement', bytes);
  expect(sz.verifyOwnerStatement(bytes, [owner.publicKey])).toEqual(statement);
  const reply: sz.OwnerReply = {
    device: device.kid,
    counter: 1,
    nonce: bootNonce,
    status: 0,
    signingKey: device.publicKey,
    agreementKey: deviceAgreement.publicKey,
    statement: sz.statementDigest(bytes),
    ...(action.type === 'rotate' ? { next: [sensor.publicKey, prekey.publicKey] as const } : {}),
  };
  const replyBytes = sz.signOwnerReply(reply, device);
  isItemOf('owner-reply', replyBytes);
  expect(sz.verifyOwnerReply(replyBytes)).toEqual(reply);
  expect(sz.answers(reply, bytes)).toBe(true);
});

test.each<[string, sz.Roster]>([
  ['empty', { version: 1, issued: 1_790_000_000, members: [], devices: [], zones: [] }],
  [
    'full',
    {
      version: 2,
      issued: 1_790_000_000,
      members: (['sensor', 'rules', 'publisher'] as const).map((role, i) => ({
        signingKey: fill(32, 20 + i),
        agreementKey: fill(32, 30 + i),
        role,
        name: `${role} ä`,
        ...(i === 0 ? { notAfter: 1_800_000_000 } : {}),
      })),
      devices: [
        {
          signingKey: device.publicKey,
          agreementKey: deviceAgreement.publicKey,
          securityLevel: 2,
          name: 'hall',
        },
      ],
      zones: [{ id: sz.asKid(fill(8, 40)), devices: [device.kid], name: 'porch' }],
      lease: 86_400,
      succession: [
        sz.signOwners({ generation: 1, keys: [publisher.publicKey, owner.publicKey] }, publisher),
        sz.signOwners({ generation: 2, keys: [owner.publicKey] }, owner),
      ],
    },
  ],
])('roster, %s', (_what, roster) => {
  const bytes = sz.signRoster(roster, owner);
  isItemOf('roster', bytes);
  if (roster.succession) {
    isItemOf('succession', sz.encodeDeterministic([...roster.succession]));
    for (const link of roster.succession) isItemOf('owners', link);
  }
  expect(sz.verifyRoster(bytes, [publisher.publicKey, owner.publicKey])).toEqual(roster);
});

test('invitation, request and reply', () => {
  const invitation: sz.Invitation = {
    secret: fill(16, 60),
    owner: owner.publicKey,
    role: 'sensor',
    name: 'porch ä',
    end: 1_790_000_900,
    broker: 'mqtts://home.example:8883',
    prefix: 'smartzone/hall',
  };
  isItemOf('invitation', sz.encodeInvitation(invitation));
  const line = sz.invitationLine(invitation);
  expect(line).toMatch(/^szi1\.[\w-]+$/);
  expect(sz.parseInvitationLine(` ${line}\n`)).toEqual(invitation);
  const request = { signingKey: sensor.publicKey, agreementKey: prekey.publicKey };
  const sealed = sz.sealInviteRequest(request, invitation.secret);
  isItemOf('invite-request', sealed);
  expect(sz.openInviteRequest(sealed, invitation.secret)).toEqual(request);
  const reply = { request: sz.inviteRequestDigest(sealed), status: 0, rosterVersion: 4 };
  isItemOf('invite-reply', sz.sealInviteReply(reply, invitation.secret));
  expect(sz.openInviteReply(sz.sealInviteReply(reply, invitation.secret), invitation.secret)).toEqual(reply);
});

test('offer', () => {
  const offer: sz.Offer = {
    channel,
    secret: fill(32, 41),
    inputShape,
    counter: 1_790_000_000_123,
    rosterVersion: 3,
    modelSequence: 1,
    time: 1_790_000_000,
  };
  const receiver = { id: device.kid, freshness: bootNonce };
  const bytes = sz.sealOffer(offer, sensor, [{ ...receiver, publicKey: prekey.publicKey }]);
  isItemOf('offer', bytes);
  isItemOf('offer-plaintext', plaintextOf('offer', bytes, sensor.kid, receiver));
  expect(sz.openOffer(bytes, sensor.publicKey, receiver, prekey)).toEqual(offer);
});

test('rules hello and label offer', () => {
  const rulesHello: sz.RulesHello = {
    device: device.kid,
    freshNonce: fill(16, 42),
    prekey: prekey.publicKey,
    time: 1_790_000_000_123,
    rosterVersion: 3,
    modelSequence: 1,
  };
  const helloBytes = sz.signRulesHello(rulesHello, rulesHost);
  isItemOf('rules-hello', helloBytes);
  expect(sz.verifyRulesHello(helloBytes, rulesHost.publicKey)).toEqual(rulesHello);

  const offer: sz.LabelOffer = {
    channel,
    secret: fill(32, 43),
    epoch: 4,
    bootNonce,
    rosterVersion: 3,
    modelSequence: 1,
  };
  const receiver = { id: rulesHost.kid, freshness: rulesHello.freshNonce };
  const bytes = sz.sealLabelOffer(offer, device, { ...receiver, publicKey: prekey.publicKey });
  isItemOf('label-offer', bytes);
  isItemOf('label-offer-plaintext', plaintextOf('label-offer', bytes, device.kid, receiver));
  expect(sz.openLabelOffer(bytes, device.publicKey, receiver, prekey)).toEqual(offer);
});

test('zone offer', () => {
  const zone = sz.asKid(fill(8, 40));
  const offer: sz.Offer = {
    channel,
    secret: fill(32, 43),
    inputShape,
    counter: 1_790_000_000_000,
    rosterVersion: 3,
    modelSequence: 1,
    time: 1_790_000_000,
  };
  const second = { key: sz.AgreementKey.fromScalar(fill(32, 41)), bootNonce: fill(16, 42) };
  const bytes = sz.sealZoneOffer(offer, zone, sensor, [
    { bootNonce, prekey: prekey.publicKey },
    { bootNonce: second.bootNonce, prekey: second.key.publicKey },
  ]);
  isItemOf('zone-offer', bytes);
  expect(sz.openZoneOffer(bytes, sensor.publicKey, { bootNonce }, prekey)).toEqual({ ...offer, zone });
  expect(sz.openZoneOffer(bytes, sensor.publicKey, second, second.key)).toEqual({ ...offer, zone });
  // Each with its own boot nonce, and only what was sealed for this zone.
  expect(() => sz.openZoneOffer(bytes, sensor.publicKey, { bootNonce }, second.key)).toThrow(
    'cannot be opened',
  );
  const { payload } = sz.parseProfiledSign1(bytes);
  const sealed =
    (sz.decodeStrict(payload ?? fill(0, 0)) as ReadonlyMap<number, Uint8Array>).get(2) ?? fill(0, 0);
  const moved = sz.encodeDeterministic(
    sz.cborMap([
      [1, fill(8, 41)],
      [2, sealed],
    ]),
  );
  const other = sz.sealSign1(moved, sensor, sz.purposeAad('zone-offer'));
  expect(() => sz.openZoneOffer(other, sensor.publicKey, { bootNonce }, prekey)).toThrow('cannot be opened');
});

test('frame, in a record', () => {
  const frame: sz.Frame = {
    id: fill(8, 44),
    time: 1_790_000_000_123,
    format: 'f32',
    dims: [2, 3, 1],
    data: fill(24, 45),
  };
  const plaintext = sz.encodeFrame(frame);
  isItemOf('frame', plaintext);
  const context: sz.RecordContext = { purpose: 'frame', device: device.kid, sender: sensor.kid };
  const writer = new sz.RecordWriter(fill(32, 46), context, channel);
  for (let number = 1; number <= 300; number++) {
    const bytes = writer.seal(plaintext);
    const record = sz.parseRecord(bytes);
    expect(record).toMatchObject({ channel, number });
    if (number !== 1 && number !== 256) continue;
    isItemOf('record', bytes);
    const opened = sz.openRecord(record, sz.recordKey(fill(32, 46), context, 0), context);
    expect(sz.decodeFrame(opened)).toEqual(frame);
  }
});

const label: Omit<sz.Label, 'results'> = {
  frameChannel: channel,
  frameNumber: 7,
  frameTag: fill(16, 47),
  frameId: fill(8, 44),
  sensorTime: 1_790_000_000_123,
  sensor: sensor.kid,
  device: device.kid,
  bootNonce,
  model: fill(32, 48),
};

test.each<sz.Results>([
  { kind: 'classes', classes: [] },
  { kind: 'classes', classes: [{ index: 1, name: 'person', score: 1 }] },
  {
    kind: 'detections',
    detections: [{ index: 0, name: 'face', score: 0.5, box: { x: 0, y: 0.25, width: 1, height: 0.125 } }],
  },
  { kind: 'reconstruction', error: 12 },
  { kind: 'tensor', format: 'i8', data: fill(4, 49) },
])('label: %j', (results) => {
  const plaintext = sz.signLabel({ ...label, results }, device, 600);
  expect(plaintext).toHaveLength(600);
  isItemOf('label', sz.unpad(plaintext));
  expect(sz.verifyLabel(plaintext, device.publicKey)).toEqual({ ...label, results });
  const zoned = { ...label, results, zone: sz.asKid(fill(8, 40)) };
  isItemOf('label', sz.unpad(sz.signLabel(zoned, device, 600)));
  expect(sz.verifyLabel(sz.signLabel(zoned, device, 600), device.publicKey)).toEqual(zoned);
});

test('telemetry', () => {
  const telemetry: sz.Telemetry = {
    device: device.kid,
    bootNonce,
    uptime: 5000,
    counters: new Map([['frames', 3]]),
    stages: new Map([['infer', { totalMillis: 120, count: 3 }]]),
    memory: new Map([['heap_peak', 100_000]]),
    agent: new Map(),
  };
  const plaintext = sz.signTelemetry(telemetry, device, 1024);
  isItemOf('telemetry', sz.unpad(plaintext));
  expect(sz.verifyTelemetry(plaintext, device.publicKey)).toEqual(telemetry);
});

test('receipt', () => {
  const receipt: sz.Receipt = {
    device: device.kid,
    channel,
    lastNumber: 9,
    bootNonce,
    window: fill(16, 3),
  };
  const bytes = sz.signReceipt(receipt, device);
  isItemOf('receipt', bytes);
  expect(sz.verifyReceipt(bytes, device.publicKey)).toEqual(receipt);
});

test('model: header, golden test, manifest, offer, package', () => {
  const contentKey = fill(16, 50);
  const weights = sz.sealSegment(contentKey, 1, fill(100, 51));
  const golden = sz.encodeGoldenTest({ frame: fill(12, 52), outputs: [fill(4, 53)] });
  isItemOf('golden', golden);
  isItemOf('wanted-segments', sz.encodeDeterministic([3, 4]));
  const sealedGolden = sz.sealSegment(contentKey, 2, golden);
  const header = sz.encodeContainerHeader({
    graph: fill(20, 54),
    weights: [sz.segmentEntry(weights)],
    golden: sz.segmentEntry(sealedGolden),
    input: { format: 'u8', dims: [2, 2, 3] },
    results: { kind: 1, most: 5 },
    labels: ['', 'person'],
    tolerance: 0,
    name: 'test model',
  });
  isItemOf('container-header', header);
  const sealedHeader = sz.sealSegment(contentKey, 0, header);
  const { envelope, digest } = sz.sealModelEnvelope(
    {
      sequence: 1,
      headerDigest: sz.segmentEntry(sealedHeader).digest,
      headerSize: sealedHeader.length,
      leastTaVersion: sz.VERSION_NUMBER,
      memory: 1_000_000,
      target: 'ref',
    },
    publisher,
  );
  isItemOf('suit-envelope', envelope);
  const content = {
    manifestDigest: digest,
    contentKey,
    device: device.kid,
    deviceAgreementKey: deviceAgreement.publicKey,
    rosterVersion: 3,
    modelSequence: 0,
  };
  isItemOf('model-offer', sz.sealModelOffer(content, publisher));
  isItemOf('package', sz.encodeModelPackage({ envelope, segments: [sealedHeader, weights, sealedGolden] }));
});

afterAll(() => {
  /** Not messages of their own. */
  const parts = new Set(
    `kid public-key nonce digest channel-id zone-id name seconds millis security-level signed mac0 input-shape
     format claim reset rollback rebase rotate member device zone results suit-digest suit-manifest segment`.split(
      /\s+/,
    ),
  );
  expect([...grammar.keys()].filter((rule) => !covered.has(rule) && !parts.has(rule))).toEqual([]);
});
