import { AgreementKey, SigningKey } from '../../protocol/keys.js';
import { asChannelId, type Kid } from '../../protocol/kid.js';
import { signEvidence, type Evidence } from '../../protocol/messages/evidence.js';
import { decodeFrame, type Frame } from '../../protocol/messages/frame.js';
import { signHello, type Hello } from '../../protocol/messages/hello.js';
import type { InputShape } from '../../protocol/messages/input-shape.js';
import { signLabel, type Label } from '../../protocol/messages/label.js';
import { sealLabelOffer, type LabelOffer } from '../../protocol/messages/label-offer.js';
import { openOffer, type Offer } from '../../protocol/messages/offer.js';
import { RECEIPT_WINDOW, signReceipt } from '../../protocol/messages/receipt.js';
import { openRecord, parseRecord, recordKey, RecordWriter } from '../../protocol/messages/record.js';
import { verifyRulesHello } from '../../protocol/messages/rules-hello.js';
import { systemRandomness } from '../../protocol/randomness.js';

const random = (length: number): Uint8Array => systemRandomness.bytes(length);
const LABEL_SIZE = 1024;

/**
 * Makes a device's messages with real keys, also ones that no device would make, to test what the clients refuse. It holds no
 * state that a TA would check and stands in for none: the end-to-end tests run the real one.
 */
export class MessageDevice {
  readonly signing = SigningKey.generate();
  readonly agreement = AgreementKey.generate();
  bootNonce = random(16);
  prekey = AgreementKey.generate();
  rosterVersion = 0;
  ownerGeneration?: number;
  modelSequence = 1;
  model = random(32);
  inputShape: InputShape | undefined = { format: 'u8', dims: [2, 2, 1] };
  epoch = 1;
  epochChannel = asChannelId(random(8));
  epochSecret = random(32);
  private writers = new Map<string, RecordWriter>();

  get kid(): Kid {
    return this.signing.kid;
  }

  reboot(): void {
    this.bootNonce = random(16);
    this.prekey = AgreementKey.generate();
    this.epoch = 0;
    this.nextEpoch();
  }

  nextEpoch(): void {
    this.epoch++;
    this.epochChannel = asChannelId(random(8));
    this.epochSecret = random(32);
    this.writers = new Map();
  }

  hello(change: Partial<Hello> = {}): Uint8Array {
    return signHello(
      {
        signingKey: this.signing.publicKey,
        agreementKey: this.agreement.publicKey,
        bootNonce: this.bootNonce,
        prekey: this.prekey.publicKey,
        rosterVersion: this.rosterVersion,
        ...(this.ownerGeneration !== undefined && { ownerGeneration: this.ownerGeneration }),
        modelSequence: this.modelSequence,
        taVersion: '0.1.0',
        securityLevel: 0,
        packingTarget: 'ref',
        ...(this.inputShape === undefined ? {} : { inputShape: this.inputShape }),
        ...change,
      },
      this.signing,
    );
  }

  evidence(nonce: Uint8Array, change: Partial<Evidence> = {}): Uint8Array {
    return signEvidence(
      {
        nonce,
        debug: 0,
        bootNonce: this.bootNonce,
        softwareVersion: ['0.1.0'],
        taUuid: new Uint8Array(16),
        rosterVersion: this.rosterVersion,
        modelSequence: this.modelSequence,
        securityLevel: 0,
        items: new Map([['tee', { value: 'software', measured: true }]]),
        ...change,
      },
      this.signing,
    );
  }

  /** The answer to a rules hello. */
  labelOffer(
    rulesHello: Uint8Array,
    rulesHostKey: Uint8Array,
    host: Kid,
    change: Partial<LabelOffer> = {},
  ): Uint8Array {
    const { freshNonce, prekey } = verifyRulesHello(rulesHello, rulesHostKey);
    return sealLabelOffer(
      {
        channel: this.epochChannel,
        secret: this.epochSecret,
        epoch: this.epoch,
        bootNonce: this.bootNonce,
        rosterVersion: this.rosterVersion,
        modelSequence: this.modelSequence,
        ...change,
      },
      this.signing,
      { id: host, freshness: freshNonce, publicKey: prekey },
    );
  }

  label(sensor: Kid, change: Partial<Label> = {}): Label {
    return {
      frameChannel: asChannelId(random(8)),
      frameNumber: 1,
      frameTag: random(16),
      frameId: random(8),
      sensorTime: Date.now(),
      sensor,
      device: this.kid,
      bootNonce: this.bootNonce,
      model: this.model,
      results: { kind: 'classes', classes: [{ index: 0, name: 'face', score: 0.5 }] },
      ...change,
    };
  }

  /** A label record, numbered on from the last of its epoch and sensor unless `number` says otherwise. */
  sealLabel(
    label: Label,
    { number, signer = this.signing }: { number?: number; signer?: SigningKey } = {},
  ): Uint8Array {
    const context = { purpose: 'label', device: this.kid, sender: label.sensor } as const;
    const name = Buffer.from(label.sensor).toString('hex');
    let writer = this.writers.get(name);
    if (number !== undefined)
      writer = new RecordWriter(this.epochSecret, context, this.epochChannel, this.epoch);
    writer ??= new RecordWriter(this.epochSecret, context, this.epochChannel, this.epoch);
    if (number === undefined) this.writers.set(name, writer);
    else while (writer.lastNumber < number - 1) writer.seal(new Uint8Array(0));
    return writer.seal(signLabel(label, signer, LABEL_SIZE));
  }

  openOffer(offer: Uint8Array, sensorKey: Uint8Array): Offer {
    const opened = openOffer(offer, sensorKey, { id: this.kid, freshness: this.bootNonce }, this.prekey);
    return { ...opened, secret: Uint8Array.from(opened.secret) };
  }

  openFrame(message: Uint8Array, offer: Offer, sensor: Kid): Frame & { readonly number: number } {
    const record = parseRecord(message);
    const context = { purpose: 'frame', device: this.kid, sender: sensor } as const;
    return {
      ...decodeFrame(openRecord(record, recordKey(offer.secret, context, 0), context)),
      number: record.number,
    };
  }

  /** Of all numbers up to the last, or of some. */
  receipt(
    offer: Offer,
    lastNumber: number,
    {
      bootNonce = this.bootNonce,
      without = [],
    }: { bootNonce?: Uint8Array; without?: readonly number[] } = {},
  ): Uint8Array {
    const window = new Uint8Array(RECEIPT_WINDOW / 8);
    for (let below = 0; below < Math.min(RECEIPT_WINDOW, lastNumber); below++)
      if (!without.includes(lastNumber - below)) window[below >> 3]! |= 1 << (below & 7);
    return signReceipt(
      { device: this.kid, channel: offer.channel, lastNumber, bootNonce, window },
      this.signing,
    );
  }
}
