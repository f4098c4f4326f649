import { decodeStrict, Tag } from '../../protocol/cbor.js';

/** COSE header parameter: key identifier (RFC 9052, table 3). */
const KID = 4;

/** The channel identifier of a record that the TA accepted; undefined if this is no record. */
export const channelOf = (record: Uint8Array): Uint8Array | undefined => {
  try {
    const message = decodeStrict(record);
    if (!(message instanceof Tag) || !Array.isArray(message.value)) return undefined;
    const protectedHeader: unknown = message.value[0];
    if (!(protectedHeader instanceof Uint8Array)) return undefined;
    const header = decodeStrict(protectedHeader);
    const kid = header instanceof Map ? (header as ReadonlyMap<unknown, unknown>).get(KID) : undefined;
    return kid instanceof Uint8Array ? kid : undefined;
  } catch {
    return undefined;
  }
};
