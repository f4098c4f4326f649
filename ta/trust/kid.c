#include "trust/kid.h"

#include <string.h>

enum sz_code sz_kid(enum sz_curve curve, const uint8_t public_key[SZ_KEY_SIZE], uint8_t kid[SZ_KID_SIZE])
{
    /* {1: 1, -1: curve, -2: h'...'}: these keys are in deterministic order as they stand. */
    uint8_t key[8 + SZ_KEY_SIZE] = {0xa3, 0x01, 0x01, 0x20, (uint8_t)curve, 0x21, 0x58, SZ_KEY_SIZE};
    uint8_t thumbprint[SZ_SHA256_SIZE];
    enum sz_code code;
    memcpy(key + 8, public_key, SZ_KEY_SIZE);
    code = sz_sha256(SZ_BYTES(key, sizeof key), thumbprint);
    if (code == SZ_OK) {
        memcpy(kid, thumbprint, SZ_KID_SIZE);
    }
    return code;
}

enum sz_code sz_signing_key_generate(struct sz_signing_key *key)
{
    enum sz_code code = sz_ed25519_generate(key->seed, key->public_key);
    if (code == SZ_OK) {
        code = sz_kid(SZ_CURVE_ED25519, key->public_key, key->kid);
    }
    if (code != SZ_OK) {
        sz_wipe(key, sizeof *key);
    }
    return code;
}

enum sz_code sz_agreement_key_generate(struct sz_agreement_key *key)
{
    enum sz_code code = sz_x25519_generate(key->private_key, key->public_key);
    if (code == SZ_OK) {
        code = sz_kid(SZ_CURVE_X25519, key->public_key, key->kid);
    }
    if (code != SZ_OK) {
        sz_wipe(key, sizeof *key);
    }
    return code;
}
