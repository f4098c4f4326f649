#include "trust/cose_record.h"
#include "trust/cose_structures.h"

#include <string.h>

enum {
    PARTIAL_IV_MAX = 5,
    /* ["Encrypt0", protected, external_aad] */
    AAD_SIZE = 1 + 9 + 2 + 32 + 2 + SZ_RECORD_EXTERNAL_AAD,
};

void sz_record_nonce(uint64_t number, uint8_t nonce[SZ_NONCE_SIZE])
{
    memset(nonce, 0, SZ_NONCE_SIZE);
    for (size_t i = 0; i < sizeof number; i++) {
        nonce[SZ_NONCE_SIZE - 1 - i] = (uint8_t)(number >> 8 * i);
    }
}

static enum sz_code read_protected(struct sz_bytes protected_header, struct sz_record_header *out)
{
    struct sz_cbor_reader r;
    struct sz_bytes partial_iv;
    const uint8_t *channel;
    enum sz_code code = sz_cose_read_protected(protected_header, SZ_COSE_A128GCM, 3, &r);
    if (code != SZ_OK) {
        return code;
    }
    sz_cbor_key(&r, SZ_COSE_KID);
    channel = sz_cbor_bstr_of(&r, SZ_CHANNEL_ID_SIZE);
    sz_cbor_key(&r, SZ_COSE_PARTIAL_IV);
    partial_iv = sz_cbor_bstr(&r);
    code = sz_cbor_done(&r);
    if (code != SZ_OK) {
        return code;
    }
    /* One number has one form. */
    if (partial_iv.length == 0 || partial_iv.length > PARTIAL_IV_MAX ||
        (partial_iv.length > 1 && partial_iv.at[0] == 0) ||
        protected_header.length > sizeof out->protected_header) {
        return SZ_MALFORMED;
    }
    out->number = 0;
    for (size_t i = 0; i < partial_iv.length; i++) {
        out->number = out->number << 8 | partial_iv.at[i];
    }
    memcpy(out->channel, channel, SZ_CHANNEL_ID_SIZE);
    memcpy(out->protected_header, protected_header.at, protected_header.length);
    out->protected_length = protected_header.length;
    return SZ_OK;
}

enum sz_code sz_record_read(struct sz_bytes prefix, size_t total_length, struct sz_record_header *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(prefix);
    struct sz_cbor_head head;
    struct sz_bytes protected_header;
    enum sz_code code;
    size_t rest;
    if (prefix.length > total_length) {
        return SZ_MALFORMED;
    }
    if (sz_cbor_tag(&r) != SZ_COSE_TAG_ENCRYPT0) {
        sz_cbor_fail(&r, SZ_MALFORMED);
    }
    sz_cbor_array_of(&r, 3);
    protected_header = sz_cbor_bstr(&r);
    sz_cbor_map_of(&r, 0);
    if (!sz_cbor_peek(&r, &head)) {
        (void)sz_cbor_bstr(&r); /* makes the error of the head stick */
    }
    code = sz_cbor_error(&r);
    if (code == SZ_OK) {
        code = read_protected(protected_header, out);
    }
    if (code != SZ_OK) {
        return code;
    }
    if (head.major != 2) {
        return SZ_MALFORMED;
    }
    /* The head was read in its shortest form, so its size is that of its argument. */
    out->ciphertext_at = sz_cbor_offset(&r) + sz_cbor_head_size(head.argument);
    rest = total_length - out->ciphertext_at;
    if (head.argument != rest) {
        return head.argument > rest ? SZ_TRUNCATED : SZ_TRAILING_BYTES;
    }
    if (rest < SZ_TAG_SIZE) {
        return SZ_MALFORMED;
    }
    out->ciphertext_length = rest;
    return SZ_OK;
}

static struct sz_bytes enc_structure(const uint8_t *protected_header, size_t protected_length,
                                     struct sz_bytes external_aad, uint8_t aad[AAD_SIZE])
{
    struct sz_cbor_writer w = sz_cbor_writer(aad, AAD_SIZE);
    sz_cose_enc_structure(&w, "Encrypt0", SZ_BYTES(protected_header, protected_length), external_aad);
    return SZ_BYTES(aad, sz_cbor_written(&w));
}

enum sz_code sz_record_open(const struct sz_record_header *header, const uint8_t key[SZ_AES_KEY_SIZE],
                            struct sz_bytes external_aad, const volatile uint8_t *shared, uint8_t *out,
                            size_t capacity, size_t *length, uint8_t digest[SZ_SHA256_SIZE],
                            uint8_t tag[SZ_TAG_SIZE])
{
    uint8_t aad[AAD_SIZE], nonce[SZ_NONCE_SIZE];
    const struct sz_bytes authenticated =
        enc_structure(header->protected_header, header->protected_length, external_aad, aad);
    const size_t plain = header->ciphertext_length - SZ_TAG_SIZE;
    enum sz_code code;
    *length = 0;
    if (authenticated.length == 0 || plain > capacity) {
        return SZ_TOO_LONG;
    }
    sz_record_nonce(header->number, nonce);
    code = sz_gcm_open_shared(key, nonce, authenticated, shared + header->ciphertext_at,
                              header->ciphertext_length, out, digest, tag);
    if (code == SZ_OK) {
        *length = plain;
    }
    return code;
}

enum sz_code sz_record_seal(const uint8_t channel[SZ_CHANNEL_ID_SIZE], uint64_t number,
                            const uint8_t key[SZ_AES_KEY_SIZE], struct sz_bytes external_aad,
                            struct sz_bytes plaintext, uint8_t *out, size_t capacity, size_t *length)
{
    uint8_t header[32], aad[AAD_SIZE], nonce[SZ_NONCE_SIZE];
    struct sz_cbor_writer p = sz_cbor_writer(header, sizeof header);
    struct sz_cbor_writer w = sz_cbor_writer(out, capacity);
    size_t leading = SZ_NONCE_SIZE - PARTIAL_IV_MAX;
    struct sz_bytes authenticated;
    uint8_t *ciphertext;
    enum sz_code code;
    *length = 0;
    if (number > SZ_RECORD_LAST_NUMBER) {
        return SZ_CHANNEL_FULL;
    }
    if (plaintext.length > SIZE_MAX - SZ_TAG_SIZE) {
        return SZ_BUFFER_TOO_SMALL;
    }
    sz_record_nonce(number, nonce);
    while (leading < SZ_NONCE_SIZE - 1 && nonce[leading] == 0) {
        leading++;
    }
    sz_cbor_put_map(&p, 3);
    sz_cbor_put_int(&p, SZ_COSE_ALG);
    sz_cbor_put_int(&p, SZ_COSE_A128GCM);
    sz_cbor_put_int(&p, SZ_COSE_KID);
    sz_cbor_put_bstr(&p, channel, SZ_CHANNEL_ID_SIZE);
    sz_cbor_put_int(&p, SZ_COSE_PARTIAL_IV);
    sz_cbor_put_bstr(&p, nonce + leading, SZ_NONCE_SIZE - leading);
    authenticated = enc_structure(header, p.length, external_aad, aad);
    if (p.overflow || authenticated.length == 0) {
        return SZ_TOO_LONG;
    }
    sz_cbor_put_tag(&w, SZ_COSE_TAG_ENCRYPT0);
    sz_cbor_put_array(&w, 3);
    sz_cbor_put_bstr(&w, header, p.length);
    sz_cbor_put_map(&w, 0);
    sz_cbor_put_bstr_head(&w, plaintext.length + SZ_TAG_SIZE);
    ciphertext = sz_cbor_put_space(&w, plaintext.length + SZ_TAG_SIZE);
    if (ciphertext == NULL) {
        return SZ_BUFFER_TOO_SMALL;
    }
    code = sz_gcm_seal(key, nonce, authenticated, plaintext, ciphertext, ciphertext + plaintext.length);
    if (code == SZ_OK) {
        *length = sz_cbor_written(&w);
    }
    return code;
}
