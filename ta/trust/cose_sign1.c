#include "trust/cose_sign1.h"
#include "trust/cose_structures.h"

/* {1: -8, 4: kid} */
enum { PROTECTED_SIZE = 3 + 2 + SZ_KID_SIZE };

/* With `detached` the payload must be nil, otherwise a byte string. */
static enum sz_code read_message(struct sz_bytes message, bool detached, struct sz_sign1 *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(message);
    enum sz_code code = sz_cbor_check(message);
    if (code != SZ_OK) {
        return code;
    }
    if (sz_cbor_tag(&r) != SZ_COSE_TAG_SIGN1) {
        sz_cbor_fail(&r, SZ_MALFORMED);
    }
    sz_cbor_array_of(&r, 4);
    out->protected_header = sz_cbor_bstr(&r);
    sz_cbor_map_of(&r, 0);
    if (detached) {
        sz_cbor_null(&r);
    } else {
        out->payload = sz_cbor_bstr(&r);
    }
    out->signature = sz_cbor_bstr_of(&r, SZ_SIGNATURE_SIZE);
    code = sz_cbor_done(&r);
    if (code == SZ_OK) {
        code = sz_cose_read_protected(out->protected_header, SZ_COSE_EDDSA, 2, &r);
    }
    if (code != SZ_OK) {
        return code;
    }
    sz_cbor_key(&r, SZ_COSE_KID);
    out->kid = sz_cbor_bstr_of(&r, SZ_KID_SIZE);
    return sz_cbor_done(&r);
}

enum sz_code sz_sign1_read(struct sz_bytes message, struct sz_sign1 *out)
{
    return read_message(message, false, out);
}

enum sz_code sz_sign1_read_detached(struct sz_bytes message, struct sz_bytes payload, struct sz_sign1 *out)
{
    out->payload = payload;
    return read_message(message, true, out);
}

enum sz_code sz_sign1_verify(const struct sz_sign1 *message, const uint8_t public_key[SZ_KEY_SIZE],
                             struct sz_bytes external_aad, uint8_t *scratch, size_t scratch_size)
{
    struct sz_cbor_writer w = sz_cbor_writer(scratch, scratch_size);
    size_t length;
    sz_cose_sig_structure(&w, message->protected_header, external_aad, message->payload);
    length = sz_cbor_written(&w);
    if (length == 0) {
        return SZ_TOO_LONG;
    }
    return sz_ed25519_verify(public_key, SZ_BYTES(scratch, length), message->signature);
}

enum sz_code sz_sign1_sign(const struct sz_signing_key *key, struct sz_bytes payload,
                           struct sz_bytes external_aad, uint8_t *out, size_t capacity, size_t *length)
{
    uint8_t header[PROTECTED_SIZE], signature[SZ_SIGNATURE_SIZE];
    struct sz_cbor_writer p = sz_cbor_writer(header, sizeof header);
    struct sz_cbor_writer w = sz_cbor_writer(out, capacity);
    enum sz_code code;
    *length = 0;
    sz_cbor_put_map(&p, 2);
    sz_cbor_put_int(&p, SZ_COSE_ALG);
    sz_cbor_put_int(&p, SZ_COSE_EDDSA);
    sz_cbor_put_int(&p, SZ_COSE_KID);
    sz_cbor_put_bstr(&p, key->kid, SZ_KID_SIZE);
    sz_cose_sig_structure(&w, SZ_BYTES(header, sizeof header), external_aad, payload);
    if (p.overflow || w.overflow) {
        return SZ_BUFFER_TOO_SMALL;
    }
    code = sz_ed25519_sign(key->seed, key->public_key, SZ_BYTES(out, w.length), signature);
    if (code != SZ_OK) {
        return code;
    }
    w = sz_cbor_writer(out, capacity);
    sz_cbor_put_tag(&w, SZ_COSE_TAG_SIGN1);
    sz_cbor_put_array(&w, 4);
    sz_cbor_put_bstr(&w, header, sizeof header);
    sz_cbor_put_map(&w, 0);
    sz_cbor_put_bstr(&w, payload.at, payload.length);
    sz_cbor_put_bstr(&w, signature, sizeof signature);
    *length = sz_cbor_written(&w);
    return w.overflow ? SZ_BUFFER_TOO_SMALL : SZ_OK;
}
