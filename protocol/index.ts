/** What both sides of the wire agree on. */
export * from './cbor.js';
export * from './codes.js';
export * from './errors.js';
export * from './bytes.js';
export * from './randomness.js';
export * from './hkdf.js';
export * from './aes-gcm.js';
export * from './kid.js';
export * from './keys.js';
export * from './x25519-public.js';
export * from './hpke.js';
export * from './cose-hpke.js';
export * from './cose/sign1.js';
export * from './product.js';
export * from './topics.js';
export {
  claimedSigner,
  PROTOCOL_VERSION,
  purposeAad,
  type Purpose,
  type Receiver,
  type SealedReceiver,
} from './signed.js';
export { inputBytes, type Format, type InputShape } from './messages/input-shape.js';
export {
  signHello,
  verifyHello,
  type Hello,
  type SecurityLevel,
  type VerifiedHello,
} from './messages/hello.js';
export * from './messages/evidence.js';
export * from './messages/owner.js';
export * from './messages/invitation.js';
export * from './messages/owners.js';
export * from './messages/roster.js';
export { openOffer, sealOffer, type Offer } from './messages/offer.js';
export * from './messages/zone-offer.js';
export { openLabelOffer, sealLabelOffer, type LabelOffer } from './messages/label-offer.js';
export * from './messages/rules-hello.js';
export * from './messages/record.js';
export * from './messages/frame.js';
export type { ClassScore, Detection, Results } from './messages/results.js';
export * from './messages/padding.js';
export * from './messages/label.js';
export * from './messages/telemetry.js';
export * from './messages/receipt.js';
export * from './messages/model.js';
export * from './messages/model-begin.js';
