#include "trust/signed.h"
#include "trust/memory.h"
#include "trust/state.h"

#include <string.h>

struct sz_bytes sz_purpose_aad(const char *purpose, uint8_t out[64])
{
    static const char prefix[] = "smart-zone/1/";
    const size_t length = strlen(purpose); /* one of our own constants: short */
    memcpy(out, prefix, sizeof prefix - 1);
    memcpy(out + sizeof prefix - 1, purpose, length);
    return SZ_BYTES(out, sizeof prefix - 1 + length);
}

struct sz_bytes sz_hpke_context(const char *purpose, const uint8_t sender[SZ_KID_SIZE],
                                const uint8_t receiver[SZ_KID_SIZE], struct sz_bytes freshness,
                                uint8_t out[128])
{
    struct sz_cbor_writer w = sz_cbor_writer(out, 128);
    sz_cbor_put_array(&w, 5);
    sz_cbor_put_uint(&w, 1);
    sz_cbor_put_text(&w, purpose);
    sz_cbor_put_bstr(&w, sender, SZ_KID_SIZE);
    sz_cbor_put_bstr(&w, receiver, SZ_KID_SIZE);
    sz_cbor_put_bstr(&w, freshness.at, freshness.length);
    return SZ_BYTES(out, sz_cbor_written(&w));
}

enum sz_code sz_signed_verify(const struct sz_sign1 *message, const uint8_t public_key[SZ_KEY_SIZE],
                              const char *purpose)
{
    uint8_t aad[64];
    const struct sz_bytes external_aad = sz_purpose_aad(purpose, aad);
    const size_t size = message->payload.length + external_aad.length + SZ_SIGN1_STRUCTURE_OVERHEAD;
    uint8_t *const scratch = sz_memory_take(size); /* Ed25519 in OP-TEE is one-shot */
    enum sz_code code = SZ_OUT_OF_MEMORY;
    if (scratch != NULL) {
        code = sz_sign1_verify(message, public_key, external_aad, scratch, size);
        TEE_Free(scratch);
    }
    return code;
}

enum sz_code sz_signed_write(struct sz_bytes payload, const char *purpose, uint8_t *out, size_t capacity,
                             size_t *length)
{
    uint8_t aad[64];
    return sz_sign1_sign(&sz_state()->signing, payload, sz_purpose_aad(purpose, aad), out, capacity, length);
}
