import { encodeDeterministic, Tag, type CborValue } from '../cbor.js';
import { sealSign1 } from '../cose/sign1.js';
import { SmartZoneError } from '../errors.js';
import { asChannelId } from '../kid.js';
import { AgreementKey, SigningKey } from '../keys.js';
import { claimedSigner, purposeAad, sealFor } from '../signed.js';
import { verifyEvidence, signEvidence, type Evidence } from './evidence.js';
import { decodeFrame, encodeFrame } from './frame.js';
import { signHello, verifyHello, type Hello } from './hello.js';
import { verifyLabel } from './label.js';
import { openOffer, sealOffer, type Offer } from './offer.js';
import {
  answers,
  signOwnerReply,
  signOwnerStatement,
  verifyOwnerReply,
  statementDigest,
  verifyOwnerStatement,
} from './owner.js';
import { pad, unpad } from './padding.js';
import { receiptCovers, signReceipt, verifyReceipt, type Receipt } from './receipt.js';
import {
  MAX_RECORD_NUMBER,
  openRecord,
  parseRecord,
  recordKey,
  RecordWriter,
  type RecordContext,
} from './record.js';
import { pinnedOwner, signOwners, type Owners } from './owners.js';
import { acceptRoster, findDevice, findMember, signRoster, verifyRoster, type Roster } from './roster.js';

const fill = (length: number, value: number) => new Uint8Array(length).fill(value);
const device = SigningKey.fromSeed(fill(32, 1));
const other = SigningKey.fromSeed(fill(32, 2));
const prekey = AgreementKey.fromScalar(fill(32, 3));
const bootNonce = fill(16, 4);
const channel = asChannelId(fill(8, 5));
const receipt: Receipt = { device: device.kid, channel, lastNumber: 9, bootNonce, window: fill(16, 7) };

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof SmartZoneError) return error.code;
    throw error;
  }
  return 'accepted';
}

/** The receipt's payload with members changed, signed well by the device. */
function receiptWith(
  entries: readonly (readonly [number, CborValue])[],
  purpose = purposeAad('receipt'),
): Uint8Array {
  const members = new Map<number, CborValue>([
    [1, device.kid],
    [2, channel],
    [3, 9],
    [4, bootNonce],
    [5, fill(16, 7)],
    ...entries,
  ]);
  return sealSign1(encodeDeterministic(members), device, purpose);
}

describe('signed messages', () => {
  const bytes = signReceipt(receipt, device);

  test('name their signer', () => {
    expect(claimedSigner(bytes)).toEqual(device.kid);
    expect(codeOf(() => verifyReceipt(bytes, other.publicKey))).toBe('UNKNOWN_SENDER');
  });

  test('every flipped bit, truncation and appended byte is refused', () => {
    for (let i = 0; i < bytes.length; i++) {
      for (const bit of [1, 0x20, 0x80]) {
        const damaged = Uint8Array.from(bytes);
        damaged[i] = (damaged[i] ?? 0) ^ bit;
        expect(codeOf(() => verifyReceipt(damaged, device.publicKey))).not.toBe('accepted');
      }
      expect(codeOf(() => verifyReceipt(bytes.subarray(0, i), device.publicKey))).toBe('TRUNCATED');
    }
    expect(codeOf(() => verifyReceipt(Uint8Array.of(...bytes, 0), device.publicKey))).toBe('TRAILING_BYTES');
  });

  test('a signature for one purpose is none for another', () => {
    expect(codeOf(() => verifyReceipt(receiptWith([]), device.publicKey))).toBe('accepted');
    for (const purpose of ['label', 'hello', 'rules-hello'] as const)
      expect(codeOf(() => verifyReceipt(receiptWith([], purposeAad(purpose)), device.publicKey))).toBe(
        'BAD_SIGNATURE',
      );
  });

  test.each<[string, [number, CborValue]]>([
    ['a key outside the grammar', [6, 0]],
    ['a short kid', [1, fill(7, 1)]],
    ['a short window', [5, fill(15, 7)]],
    ['a long window', [5, fill(17, 7)]],
    ['a negative number', [3, -1]],
    ['a number as text', [3, '9']],
    ['a number that JavaScript does not hold', [3, 2n ** 60n]],
  ])('well signed, but with %s', (_what, entry) => {
    expect(codeOf(() => verifyReceipt(receiptWith([entry]), device.publicKey))).toBe('MALFORMED');
  });

  test('headers outside the profile', () => {
    const build = (header: CborValue, unprotected = new Map<number, CborValue>()) =>
      encodeDeterministic(new Tag(18, [encodeDeterministic(header), unprotected, fill(1, 0), fill(64, 0)]));
    const kid: [number, CborValue] = [4, device.kid];
    expect(codeOf(() => claimedSigner(build(new Map<number, CborValue>([[1, -8], kid]))))).toBe('accepted');
    expect(codeOf(() => claimedSigner(build(new Map<number, CborValue>([[1, -7], kid]))))).toBe(
      'UNKNOWN_ALGORITHM',
    );
    expect(codeOf(() => claimedSigner(build(new Map<number, CborValue>([[1, -8]]))))).toBe('MALFORMED');
    expect(codeOf(() => claimedSigner(build(new Map([kid]), new Map([[1, -8]]))))).toBe('MALFORMED');
    expect(codeOf(() => claimedSigner(build(new Map<number, CborValue>([[1, -8], kid, [2, [4]]]))))).toBe(
      'MALFORMED',
    );
  });
});

describe('hello', () => {
  const hello: Hello = {
    signingKey: device.publicKey,
    agreementKey: prekey.publicKey,
    bootNonce,
    prekey: prekey.publicKey,
    rosterVersion: 0,
    modelSequence: 0,
    taVersion: '0.1.0',
    securityLevel: 1,
    packingTarget: 'ref',
  };

  test('is signed by the key in it', () => {
    expect(verifyHello(signHello(hello, device)).device).toEqual(device.kid);
    expect(codeOf(() => verifyHello(signHello(hello, other)))).toBe('UNKNOWN_SENDER');
  });
});

describe('evidence', () => {
  const evidence: Evidence = {
    nonce: fill(8, 6),
    debug: 0,
    bootNonce,
    softwareVersion: ['0.1.0'],
    taUuid: fill(16, 7),
    rosterVersion: 0,
    modelSequence: 0,
    securityLevel: 0,
    items: new Map([['tee', { value: 'software', measured: true }]]),
  };

  test('answers one nonce', () => {
    const bytes = signEvidence(evidence, device);
    expect(verifyEvidence(bytes, device.publicKey, fill(8, 6))).toEqual(evidence);
    expect(codeOf(() => verifyEvidence(bytes, device.publicKey, fill(8, 7)))).toBe('STALE_NONCE');
    expect(codeOf(() => verifyEvidence(bytes, other.publicKey, fill(8, 6)))).toBe('UNKNOWN_SENDER');
    expect(codeOf(() => signEvidence({ ...evidence, nonce: fill(7, 6) }, device))).toBe('MALFORMED');
  });
});

describe('owner', () => {
  const base = { device: device.kid, counter: 1, nonce: bootNonce, time: 1_790_000_000 };

  test('a claim is signed by an owner that it names, other statements by an owner in force', () => {
    const claim = {
      ...base,
      action: { type: 'claim', owners: [device.publicKey], generation: 1 },
    } as const;
    const reset = { ...base, action: { type: 'reset' } } as const;
    expect(verifyOwnerStatement(signOwnerStatement(claim, device), [])).toEqual(claim);
    expect(codeOf(() => verifyOwnerStatement(signOwnerStatement(claim, other), []))).toBe('NOT_OWNER');
    expect(codeOf(() => verifyOwnerStatement(signOwnerStatement(reset, other), [device.publicKey]))).toBe(
      'NOT_OWNER',
    );
    expect(codeOf(() => verifyOwnerStatement(signOwnerStatement(reset, device), []))).toBe('NOT_OWNER');
    const four = {
      ...base,
      action: { type: 'claim', owners: [1, 2, 3, 4].map((i) => fill(32, i)) },
    } as const;
    expect(codeOf(() => signOwnerStatement(four, device))).toBe('MALFORMED');
  });

  test('a reply is signed by the key that it names, and answers one statement', () => {
    const { device: named, counter, nonce } = base;
    const reply = {
      device: named,
      counter,
      nonce,
      status: 308,
      signingKey: device.publicKey,
      agreementKey: fill(32, 1),
      statement: statementDigest(signOwnerStatement({ ...base, action: { type: 'reset' } }, device)),
    };
    const verified = verifyOwnerReply(signOwnerReply(reply, device));
    expect(codeOf(() => verifyOwnerReply(signOwnerReply(reply, other)))).toBe('UNKNOWN_SENDER');
    const statement = { ...base, action: { type: 'reset' } } as const;
    expect(answers(verified, signOwnerStatement(statement, device))).toBe(true);
    expect(answers(verified, signOwnerStatement({ ...statement, counter: 2 }, device))).toBe(false);
    // What somebody else says with the same counter and nonce is another statement.
    expect(answers(verified, signOwnerStatement(statement, other))).toBe(false);
  });
});

describe('roster', () => {
  const roster: Roster = {
    version: 1,
    issued: 1_790_000_000,
    members: [{ signingKey: other.publicKey, agreementKey: fill(32, 8), role: 'sensor', name: 'door' }],
    devices: [{ signingKey: device.publicKey, agreementKey: fill(32, 9), securityLevel: 0, name: 'hall' }],
    zones: [],
  };

  test('is signed by an owner', () => {
    const bytes = signRoster(roster, device);
    expect(verifyRoster(bytes, [other.publicKey, device.publicKey])).toEqual(roster);
    expect(codeOf(() => verifyRoster(bytes, [other.publicKey]))).toBe('NOT_OWNER');
    expect(codeOf(() => verifyRoster(bytes, []))).toBe('NOT_OWNER');
  });

  test('carries the succession of its owners', () => {
    const [first, second, third] = [20, 21, 22].map((seed) => SigningKey.fromSeed(fill(32, seed))) as [
      SigningKey,
      SigningKey,
      SigningKey,
    ];
    const keysOf = (...keys: SigningKey[]) => keys.map(({ publicKey }) => publicKey);
    const link = (generation: number, keys: SigningKey[], signer: SigningKey) =>
      signOwners({ generation, keys: keysOf(...keys) }, signer);
    const own = link(1, [first, second], first);
    const next = link(2, [second, third], second);
    const nextOwn = link(2, [third, second], third);
    const last = link(3, [third], third);
    const accept = (signer: SigningKey, links: Uint8Array[], known = pinnedOwner(first.publicKey)) =>
      acceptRoster(signRoster({ ...roster, succession: links }, signer), known).owners;
    // From one pinned key to the last generation, from wherever one was.
    const all = [own, next, nextOwn, last];
    expect(accept(third, all)).toEqual({ generation: 3, keys: keysOf(third) });
    expect(accept(second, [own])).toEqual({ generation: 1, keys: keysOf(first, second) });
    expect(accept(third, all, { generation: 2, keys: keysOf(second, third) }).generation).toBe(3);
    expect(accept(third, [own, next, nextOwn], pinnedOwner(third.publicKey))).toEqual({
      generation: 2,
      keys: keysOf(third, second),
    });
    // Who was replaced signs nothing any more; a gap, a stranger's link, another set of a known generation.
    const refused = (signer: SigningKey, links: Uint8Array[], known?: Owners) =>
      codeOf(() => accept(signer, links, known));
    expect(refused(first, all)).toBe('NOT_OWNER');
    expect(refused(third, [own, last])).toBe('NOT_OWNER');
    expect(refused(other, [own, link(2, [other], other)])).toBe('NOT_OWNER');
    expect(refused(third, [next, last], { generation: 2, keys: keysOf(second) })).toBe('OWNERS_CONFLICT');
    expect(refused(first, [link(0, [first], first)])).toBe('MALFORMED');
    const forged = Uint8Array.from(own);
    forged[forged.length - 1]! ^= 1;
    expect(refused(second, [forged])).toBe('BAD_SIGNATURE');
    expect(codeOf(() => accept(second, []))).toBe('MALFORMED');
  });

  test('finds members by kid and role, and devices by kid', () => {
    expect(findMember(roster, other.kid)?.name).toBe('door');
    expect(findMember(roster, other.kid, 'rules')).toBeUndefined();
    expect(findMember(roster, device.kid)).toBeUndefined();
    expect(findDevice(roster, device.kid)?.name).toBe('hall');
    expect(findDevice(roster, other.kid)).toBeUndefined();
  });

  test('finds a member in each of its roles, and nobody in a roster that it has left', () => {
    const [door] = roster.members;
    if (door === undefined) throw new Error('no member');
    const both = {
      ...roster,
      members: [...roster.members, { ...door, role: 'rules' as const, name: 'again' }],
    };
    expect(findMember(both, other.kid)?.name).toBe('door');
    expect(findMember(both, other.kid, 'rules')?.name).toBe('again');
    expect(findMember(both, other.kid, 'publisher')).toBeUndefined();
    expect(findMember({ ...both, members: [] }, other.kid)).toBeUndefined();
    expect(findMember(roster, other.kid, 'rules')).toBeUndefined();
  });

  test('names have 1 to 64 bytes', () => {
    const named = (name: string) => ({
      ...roster,
      members: roster.members.map((member) => ({ ...member, name })),
    });
    expect(codeOf(() => signRoster(named('ä'.repeat(32)), device))).toBe('accepted');
    expect(codeOf(() => signRoster(named('ä'.repeat(33)), device))).toBe('MALFORMED');
    expect(codeOf(() => signRoster(named(''), device))).toBe('MALFORMED');
  });
});

describe('offer', () => {
  const offer: Offer = {
    channel,
    secret: fill(32, 10),
    inputShape: { format: 'u8', dims: [4, 4, 3] },
    counter: 1,
    rosterVersion: 1,
    modelSequence: 0,
    time: 1_790_000_000,
  };
  const receiver = { id: device.kid, freshness: bootNonce };
  const bytes = sealOffer(offer, other, [{ ...receiver, publicKey: prekey.publicKey }]);
  const open = (changed: Partial<typeof receiver>, key = prekey, sender = other) =>
    codeOf(() => openOffer(bytes, sender.publicKey, { ...receiver, ...changed }, key));

  test('is for one device, one boot, one prekey, from one sender', () => {
    expect(open({})).toBe('accepted');
    expect(open({ id: other.kid })).toBe('DECRYPT_FAILED');
    expect(open({ freshness: fill(16, 11) })).toBe('DECRYPT_FAILED');
    expect(open({}, AgreementKey.generate())).toBe('DECRYPT_FAILED');
    expect(open({}, prekey, device)).toBe('UNKNOWN_SENDER');
  });

  test('signed again by another member, it does not open for that member', () => {
    const sealed = sealFor('offer', other.kid, [{ ...receiver, publicKey: prekey.publicKey }], fill(1, 0));
    const stolen = sealSign1(sealed, device, purposeAad('offer'));
    expect(codeOf(() => openOffer(stolen, device.publicKey, receiver, prekey))).toBe('DECRYPT_FAILED');
  });
});

test('a receipt covers what its window says, and nothing else', () => {
  const window = new Uint8Array(16);
  window[0] = 0b101;
  window[15] = 0x80;
  const told = { ...receipt, lastNumber: 300, window };
  const taken = [0, ...Array.from({ length: 302 }, (_, i) => i)].filter((number) =>
    receiptCovers(told, number),
  );
  expect(taken).toEqual([173, 298, 300]);
});

test('a receipt without its window is none', () => {
  const members = new Map<number, CborValue>([
    [1, device.kid],
    [2, channel],
    [3, 9],
    [4, bootNonce],
  ]);
  const bytes = sealSign1(encodeDeterministic(members), device, purposeAad('receipt'));
  expect(codeOf(() => verifyReceipt(bytes, device.publicKey))).toBe('MALFORMED');
});

describe('record', () => {
  const secret = fill(32, 15);
  const context: RecordContext = { purpose: 'frame', device: device.kid, sender: other.kid };
  const key = recordKey(secret, context, 0);
  const plaintext = fill(100, 16);

  test('numbers start at 1 and are used once', () => {
    const writer = new RecordWriter(secret, context, channel);
    expect(writer.lastNumber).toBe(0);
    const records = [writer.seal(plaintext), writer.seal(plaintext)];
    expect(records.map((bytes) => parseRecord(bytes).number)).toEqual([1, 2]);
    expect(records[0]).not.toEqual(records[1]);
    expect(writer.lastNumber).toBe(2);
    expect(MAX_RECORD_NUMBER).toBe(0xff_ffff_ffff);
  });

  test('is bound to purpose, device, sender, epoch and channel', () => {
    const bytes = new RecordWriter(secret, context, channel).seal(plaintext);
    const record = parseRecord(bytes);
    expect(openRecord(record, key, context)).toEqual(plaintext);
    const contexts: RecordContext[] = [
      { ...context, purpose: 'label' },
      { ...context, device: other.kid },
      { ...context, sender: device.kid },
    ];
    for (const changed of contexts) {
      expect(codeOf(() => openRecord(record, key, changed))).toBe('BAD_TAG');
      expect(recordKey(secret, changed, 0)).not.toEqual(key);
    }
    expect(recordKey(secret, context, 1)).not.toEqual(key);
    expect(codeOf(() => openRecord(record, recordKey(secret, context, 1), context))).toBe('BAD_TAG');
    const otherChannel = new RecordWriter(secret, context, asChannelId(fill(8, 17))).seal(plaintext);
    const moved = { ...parseRecord(otherChannel).layer, ciphertext: record.layer.ciphertext };
    expect(codeOf(() => openRecord({ ...record, layer: moved }, key, context))).toBe('BAD_TAG');
  });

  test('every flipped bit and every truncation is refused', () => {
    const bytes = new RecordWriter(secret, context, channel).seal(plaintext);
    for (let i = 0; i < bytes.length; i++) {
      const damaged = Uint8Array.from(bytes);
      damaged[i] = (damaged[i] ?? 0) ^ 1;
      expect(codeOf(() => openRecord(parseRecord(damaged), key, context))).not.toBe('accepted');
      expect(codeOf(() => parseRecord(bytes.subarray(0, i)))).toBe('TRUNCATED');
    }
  });

  test.each<[string, Uint8Array, string]>([
    ['a leading zero', Uint8Array.of(0, 1), 'MALFORMED'],
    ['six bytes', fill(6, 1), 'MALFORMED'],
    ['no bytes', fill(0, 0), 'MALFORMED'],
    ['five bytes', fill(5, 255), 'accepted'],
  ])('Partial IV with %s', (_what, partialIv, expected) => {
    const header = encodeDeterministic(
      new Map<number, CborValue>([
        [1, 1],
        [4, channel],
        [6, partialIv],
      ]),
    );
    const bytes = encodeDeterministic(new Tag(16, [header, new Map(), fill(16, 0)]));
    expect(codeOf(() => parseRecord(bytes))).toBe(expected);
  });
});

test('frame data has the size of its shape', () => {
  const frame = { id: fill(8, 1), time: 1, format: 'f32', dims: [2, 3], data: fill(24, 0) } as const;
  expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
  expect(codeOf(() => encodeFrame({ ...frame, data: fill(23, 0) }))).toBe('BAD_FRAME');
  expect(codeOf(() => encodeFrame({ ...frame, dims: [2, 3, 1, 1, 1] }))).toBe('MALFORMED');
});

describe('padding', () => {
  test.each([0, 1, 9])('%i bytes of content come back', (length) => {
    const content = fill(length, 0x80);
    expect(pad(content, 10)).toHaveLength(10);
    expect(unpad(pad(content, 10))).toEqual(content);
  });

  test('content that does not fit, and padding of another form', () => {
    expect(() => pad(fill(10, 1), 10)).toThrow(RangeError);
    expect(codeOf(() => unpad(fill(10, 0)))).toBe('MALFORMED');
    expect(codeOf(() => unpad(fill(10, 1)))).toBe('MALFORMED');
    expect(codeOf(() => unpad(fill(0, 0)))).toBe('MALFORMED');
    expect(codeOf(() => verifyLabel(fill(10, 1), device.publicKey))).toBe('MALFORMED');
  });
});
