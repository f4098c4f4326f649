/* One segment of a container. */
#include "models/slot.h"

static const char SEGMENT_AAD[] = "smart-zone/1/segment";

enum sz_code sz_segment_open(const uint8_t key[SZ_AES_KEY_SIZE], uint32_t index,
                             const volatile uint8_t *shared, size_t length,
                             const uint8_t expected[SZ_SHA256_SIZE], uint8_t *out)
{
    uint8_t nonce[SZ_NONCE_SIZE] = {0}, digest[SZ_SHA256_SIZE];
    enum sz_code code;
    for (size_t i = 0; i < 4; i++) {
        nonce[SZ_NONCE_SIZE - 1 - i] = (uint8_t)(index >> 8 * i);
    }
    code = sz_gcm_open_shared(key, nonce, SZ_TEXT(SEGMENT_AAD), shared, length, out, digest, NULL);
    if (code == SZ_CRYPTO_FAILED) {
        return code;
    }
    if (code != SZ_OK || !sz_equal(digest, expected, sizeof digest)) {
        sz_wipe(out, length - SZ_SEGMENT_OVERHEAD);
        return SZ_MODEL_DIGEST;
    }
    return SZ_OK;
}
