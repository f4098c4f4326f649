/* What the published vectors of RFC 9180, appendix A, reach into. */
#ifndef SZ_HPKE_INTERNAL_H
#define SZ_HPKE_INTERNAL_H

#include "trust/hpke.h"

struct sz_hpke_keys {
    uint8_t key[SZ_AES_KEY_SIZE];
    uint8_t base_nonce[SZ_NONCE_SIZE]; /* of the first message */
};

/* ExtractAndExpand (section 4.1): dh is the agreed secret. */
enum sz_code sz_hpke_shared_secret(const uint8_t dh[SZ_KEY_SIZE], const uint8_t enc[SZ_KEY_SIZE],
                                   const uint8_t recipient[SZ_KEY_SIZE],
                                   uint8_t shared_secret[SZ_SHA256_SIZE]);

/* KeySchedule in base mode (section 5.1). */
enum sz_code sz_hpke_key_schedule(const uint8_t shared_secret[SZ_SHA256_SIZE], struct sz_bytes info,
                                  struct sz_hpke_keys *keys);

/* sz_hpke_seal() with a given ephemeral key, which must not have been used before. */
enum sz_code sz_hpke_seal_with(const struct sz_agreement_key *ephemeral, const uint8_t recipient[SZ_KEY_SIZE],
                               struct sz_bytes info, struct sz_bytes aad, struct sz_bytes plaintext,
                               uint8_t enc[SZ_KEY_SIZE], uint8_t *sealed);

#endif
