#include "trust/record_key.h"

static size_t parties(struct sz_cbor_writer *w, size_t items, enum sz_purpose purpose,
                      const uint8_t device[SZ_KID_SIZE], const uint8_t sender[SZ_KID_SIZE])
{
    sz_cbor_put_array(w, items);
    sz_cbor_put_uint(w, 1);
    sz_cbor_put_uint(w, (uint64_t)purpose);
    sz_cbor_put_bstr(w, device, SZ_KID_SIZE);
    sz_cbor_put_bstr(w, sender, SZ_KID_SIZE);
    return sz_cbor_written(w);
}

enum sz_code sz_record_key(const uint8_t secret[SZ_KEY_SIZE], enum sz_purpose purpose,
                           const uint8_t device[SZ_KID_SIZE], const uint8_t sender[SZ_KID_SIZE],
                           uint64_t epoch, uint8_t key[SZ_AES_KEY_SIZE])
{
    uint8_t bytes[64], prk[SZ_SHA256_SIZE];
    struct sz_cbor_writer w = sz_cbor_writer(bytes, sizeof bytes);
    const struct sz_bytes ikm = SZ_BYTES(secret, SZ_KEY_SIZE);
    struct sz_bytes info;
    enum sz_code code;
    (void)parties(&w, 5, purpose, device, sender);
    sz_cbor_put_uint(&w, epoch);
    info = SZ_BYTES(bytes, sz_cbor_written(&w));
    code = sz_hkdf_extract(SZ_BYTES(NULL, 0), &ikm, 1, prk);
    if (code == SZ_OK) {
        code = sz_hkdf_expand(SZ_BYTES(prk, sizeof prk), &info, 1, key, SZ_AES_KEY_SIZE);
    }
    sz_wipe(prk, sizeof prk);
    return code;
}

struct sz_bytes sz_record_external_aad(enum sz_purpose purpose, const uint8_t device[SZ_KID_SIZE],
                                       const uint8_t sender[SZ_KID_SIZE], uint8_t out[SZ_RECORD_EXTERNAL_AAD])
{
    struct sz_cbor_writer w = sz_cbor_writer(out, SZ_RECORD_EXTERNAL_AAD);
    const size_t length = parties(&w, 4, purpose, device, sender);
    return SZ_BYTES(out, length);
}
