/** Fields that the rightful sender may say otherwise, by layer, each with why its receiver takes that (test/ta/signed-again.test.ts). */
type Reasons = Readonly<Record<string, string>>;

const under = (prefix: string, reasons: Reasons): Reasons =>
  Object.fromEntries(Object.entries(reasons).map(([field, reason]) => [`${prefix}${field}`, reason]));

const STATEMENT = under('owner-statement[2]<<', {
  '.2': 'counters need only rise: the owner may pass some over',
  '.4': "the owner's time is the owner's say",
});

const MEMBER = {
  '.1': 'the owner enrols whom he likes',
  '.2': 'the owner enrols whom he likes',
  '.4': 'names are for people',
};
const ROLE = { '.3': 'the owner gives roles' };
const UNTIL = { '.5': 'the owner says until when' };
const member = (index: number, ...reasons: Reasons[]): Reasons =>
  under(`.3[${index}]`, Object.assign({}, MEMBER, ...reasons) as Reasons);

const ROSTER = under('roster[2]<<', {
  '.1': 'versions need only rise',
  '.2': "the owner's time is the owner's say",
  ...member(0, ROLE, UNTIL),
  ...member(1, ROLE),
  ...member(2), // a publisher: another number is no role
  ...member(3, ROLE, UNTIL),
  ...member(4, ROLE),
  ...member(5),
  '.4[0].4': 'names are for people',
  '.5[0].1': 'the owner makes the zones',
  '.5[0].2[0]': 'the owner makes the zones: this device is in none then',
  '.5[0].3': 'names are for people',
  '.6': 'the owner says how long the lease is',
});

const OFFER = under('offer-plaintext', {
  '.1': 'the sensor draws it',
  '.2': 'the sensor draws it',
  '.4': 'counters need only rise',
  '.7': "the sensor's clock is the sensor's: the calendar follows a day at most",
});

const NUMBER = { 'record[0]<<.6': 'numbers need only rise: records may be lost' };
const COUNTED = 'what a device counts is for people';
const telemetry = (...names: string[]): Reasons => Object.fromEntries(names.map((name) => [name, COUNTED]));

export const ACCEPTED: Readonly<Record<string, Reasons>> = {
  'owner-statement: claim': {
    ...STATEMENT,
    'owner-statement[2]<<.5[2]': 'a device may be claimed by owners of any generation',
  },
  'owner-statement: reset': STATEMENT,
  'owner-statement: rebase': { ...STATEMENT, 'owner-statement[2]<<.5[1]': 'any higher floor is one' },
  'owner-statement: rotate': STATEMENT,
  'roster, to the TA': {
    ...ROSTER,
    'roster[2]<<.4[0].3': "what level clients ask of a device is not the device's to judge",
  },
  'roster, to clients': ROSTER,
  'rules-hello': under('rules-hello[2]<<', {
    '.2': 'the rules host draws it',
    '.3': 'the rules host draws it',
    '.4': 'counters need only rise',
  }),
  'offer, sealed': OFFER,
  'zone-offer, sealed': OFFER,
  'frame record, sealed': under('frame', {
    '.1': 'the sensor draws it',
    '.2': "the sensor's clock is the sensor's: rules hosts judge its age",
    '.5': 'another picture is a frame, too',
  }),
  'frame record, headers': NUMBER,
  'suit-envelope, manifest': under('suit-envelope.3<<', {
    '.2': 'sequence numbers need only rise',
    '.3<<.4<<[1].-2': 'the TA refuses early what is said to need more than there is, and later what does',
  }),
  'container-header': under('container-header', {
    '.5[1]':
      "one byte more than the output has: labels are padded to what the publisher says, not less than what's in them",
    '.7': 'the publisher says how exact its golden test is',
    '.8': 'names are for people',
  }),
  golden: under('golden', {
    '[0]': 'the least bit of a float: within the tolerance',
    '[1][0]': 'the least bit of a float: within the tolerance',
  }),
  'model-package': under('model-package[2]<<', {
    '.1<<.2<<[1]<<[0]<<.4': "whose manifest it is asks the TA, of the offer's envelope",
    '.1<<.2<<[1]<<[3]': "whose manifest it is asks the TA, of the offer's envelope",
    '.2[1][0]': "segments that the header does not name are the TA's to refuse; only it can read the header",
    '.2[1][1]': "segments that the header does not name are the TA's to refuse; only it can read the header",
    '.2[2][0]': "segments that the header does not name are the TA's to refuse; only it can read the header",
    '.2[2][1]': "segments that the header does not name are the TA's to refuse; only it can read the header",
  }),
  hello: under('hello[2]<<', {
    '.4': 'another boot',
    '.5': "another boot's prekey",
    '.6': 'it may know a newer roster than this client',
    '.7': 'it may have a newer model than this client has heard of',
    '.8': 'versions are for people; a policy asks the evidence',
    '.9': 'a higher level than the roster asks for; it is self-asserted (SECURITY.md)',
    '.10': 'publishers pack for what it says, and the TA refuses what it cannot run',
    '.12[1][0]': 'the device says what its model takes',
    '.14': 'it may know later owner keys than this client',
  }),
  evidence: under('evidence[2]<<', {
    '.263': 'less debugging than the policy allows',
    '.268': "the requester's nonce makes it fresh",
    '.-70002': 'a newer roster than the policy asks for',
    '.-70003': 'a newer model than the policy asks for',
    '.-70006': 'a roster of later owner keys than the policy asks for',
    '.-70004': 'a higher level than the policy asks for; it is self-asserted (SECURITY.md)',
    '.-70005.owner-key[1]': 'measured, where the policy does not ask for that',
    '.-70005.secure-memory-protected[1]': 'measured, where the policy does not ask for that',
    '.-70005.sources-sha256[1]': 'measured, where the policy does not ask for that',
    '.-70005.ta-signing-key[1]': 'measured, where the policy does not ask for that',
  }),
  'owner-reply': under('owner-reply[2]<<', {
    '.1': 'the digest of the statement names this already',
    '.2': 'the digest of the statement names this already',
    '.3': 'the digest of the statement names this already',
    '.6': "the device's keys are what it says they are; the owner's next roster names them",
    '.8[0]': "the device's keys are what it says they are; the owner's next roster names them",
    '.8[1]': "the device's keys are what it says they are; the owner's next roster names them",
  }),
  'model-status': under('model-status[2]<<', {
    '.3': 'what it has is what it says it has',
    '.4': 'what it has is what it says it has',
    '.5[0]': 'what it has is what it says it has',
    '.5[1]': 'what it has is what it says it has',
  }),
  'label-offer, sealed': under('label-offer-plaintext', {
    '.1': 'the device draws it',
    '.2': 'the device draws it',
    '.3': 'epochs need only rise',
    '.5': 'it may know a newer roster; with an older one than this host it would not have answered',
    '.6': 'it may have a newer model; with an older floor than this host knows it would not have answered',
  }),
  'label record, sealed': under('label[2]<<', {
    '.1': 'which frame of the sensor it answers only the device knows',
    '.2': 'which frame of the sensor it answers only the device knows',
    '.3': 'which frame of the sensor it answers only the device knows',
    '.4': 'which frame of the sensor it answers only the device knows',
    '.5': "another time within what the host allows: the sensor's, in the device's word",
    '.10[2]': 'what the network saw only the device knows',
  }),
  'label record, headers': NUMBER,
  'telemetry record, sealed': under('telemetry[2]<<', {
    ...telemetry('.3', '.4.frames', '.4.labels', '.4.offers', '.4.refused', '.4.repeats'),
    ...telemetry('.5.open[0]', '.5.open[1]', '.5.seal[0]', '.5.seal[1]', '.5.infer[0]', '.5.infer[1]'),
    ...telemetry('.6.arena', '.6.image', '.6.model', '.6.heap_peak', '.6.heap_size', '.6.stack_peak'),
    '.7.queue': "the agent's word, and said to be that",
  }),
  'telemetry record, headers': NUMBER,
};
