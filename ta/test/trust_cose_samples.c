#include "trust_cose_samples.h"

#include <string.h>

struct sz_signing_key trust_signer;
struct sz_agreement_key trust_receiver;
const uint8_t trust_channel[SZ_CHANNEL_ID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};
const uint8_t trust_channel_key[SZ_AES_KEY_SIZE] = {9, 8, 7, 6, 5, 4, 3, 2, 1};

enum { NUMBER = 0x010203 };

void trust_make_keys(void)
{
    CHECK(sz_signing_key_generate(&trust_signer) == SZ_OK);
    CHECK(sz_agreement_key_generate(&trust_receiver) == SZ_OK);
}

/* True if no four bytes of the payload stand in `out`. */
static bool nothing_left(const uint8_t *out, size_t length)
{
    const struct sz_bytes payload = TRUST_PAYLOAD;
    for (size_t i = 0; i + 4 <= length; i++) {
        for (size_t k = 0; k + 4 <= payload.length; k++) {
            if (memcmp(out + i, payload.at + k, 4) == 0) {
                return false;
            }
        }
    }
    return true;
}

enum sz_code trust_open_sign1(struct sz_bytes message)
{
    struct sz_sign1 sign1;
    uint8_t scratch[256];
    enum sz_code code = sz_sign1_read(message, &sign1);
    if (code == SZ_OK) {
        code = sz_sign1_verify(&sign1, trust_signer.public_key, TRUST_AAD, scratch, sizeof scratch);
    }
    if (code == SZ_OK) {
        CHECK(trust_same(sign1.payload, TRUST_PAYLOAD));
        CHECK(memcmp(sign1.kid, trust_signer.kid, SZ_KID_SIZE) == 0);
    }
    return code;
}

enum sz_code trust_open_record(struct sz_bytes message)
{
    struct sz_record_header header;
    uint8_t out[128];
    size_t length = 99;
    const size_t prefix = message.length < SZ_RECORD_PREFIX ? message.length : SZ_RECORD_PREFIX;
    enum sz_code code = sz_record_read(SZ_BYTES(message.at, prefix), message.length, &header);
    memset(out, 0, sizeof out);
    if (code == SZ_OK) {
        code = sz_record_open(&header, trust_channel_key, TRUST_AAD, message.at, out, sizeof out, &length,
                              NULL, NULL);
        CHECK(code == SZ_OK || length == 0);
    }
    if (code == SZ_OK) {
        CHECK(trust_same(SZ_BYTES(out, length), TRUST_PAYLOAD) && header.number == NUMBER);
        CHECK(memcmp(header.channel, trust_channel, sizeof trust_channel) == 0);
    } else {
        CHECK(nothing_left(out, sizeof out));
    }
    return code;
}

enum sz_code trust_open_encrypt(struct sz_bytes message)
{
    uint8_t out[128];
    size_t length = 99;
    memset(out, 0, sizeof out);
    const enum sz_code code =
        sz_encrypt_open(message, &trust_receiver, TRUST_EXTRA, TRUST_AAD, out, sizeof out, &length);
    if (code == SZ_OK) {
        CHECK(trust_same(SZ_BYTES(out, length), TRUST_PAYLOAD));
    } else {
        CHECK(length == 0 && nothing_left(out, sizeof out));
    }
    return code;
}

size_t trust_make_sign1(uint8_t *out, size_t capacity)
{
    size_t length;
    CHECK(sz_sign1_sign(&trust_signer, TRUST_PAYLOAD, TRUST_AAD, out, capacity, &length) == SZ_OK);
    return length;
}

size_t trust_make_record(uint8_t *out, size_t capacity)
{
    size_t length;
    CHECK(sz_record_seal(trust_channel, NUMBER, trust_channel_key, TRUST_AAD, TRUST_PAYLOAD, out, capacity,
                         &length) == SZ_OK);
    return length;
}

size_t trust_make_encrypt(uint8_t *out, size_t capacity)
{
    size_t length;
    CHECK(sz_encrypt_seal(trust_receiver.public_key, TRUST_EXTRA, TRUST_AAD, TRUST_PAYLOAD, out, capacity,
                          &length) == SZ_OK);
    return length;
}
