/* Label epochs: one secret that the rules hosts share, changed when the roster changes, after 2^20 records
 * and after 24 hours; under it one key and one counter per sensor, and one for telemetry. */
#ifndef SZ_EPOCH_H
#define SZ_EPOCH_H

#include "trust/record_key.h"

struct sz_epoch {
    uint64_t number; /* strictly increasing within a boot, from 1 */
    uint8_t channel[SZ_CHANNEL_ID_SIZE];
    uint8_t secret[SZ_KEY_SIZE];
};

/* A fresh secret under the next number. */
void sz_epoch_next(void);

/* The epoch to use now; begins a new one where the present one is used up. */
const struct sz_epoch *sz_epoch_now(void);

/* Seals plaintext as the next record of this purpose and sender. LIMIT_REACHED if there are too many senders.
 */
enum sz_code sz_epoch_seal(enum sz_purpose purpose, const uint8_t sender[SZ_KID_SIZE],
                           struct sz_bytes plaintext, uint8_t *out, size_t capacity, size_t *length);

void sz_epoch_release(void);

#endif
