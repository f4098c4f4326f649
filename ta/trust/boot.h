/* What lives from one TA start to the next: boot nonce, prekey, claim nonce. A claim begins a new boot. */
#ifndef SZ_BOOT_H
#define SZ_BOOT_H

#include "trust/kid.h"

enum { SZ_NONCE16_SIZE = 16 };

struct sz_boot {
    uint8_t nonce[SZ_NONCE16_SIZE];
    uint8_t claim_nonce[SZ_NONCE16_SIZE]; /* says something only while unclaimed */
    struct sz_agreement_key prekey;       /* frame offers are sealed to it; never stored */
};

/* Draws everything anew, for sz_boot_begin(): what can fail comes before anything has changed. The caller
 * wipes it. */
enum sz_code sz_boot_draw(struct sz_boot *next);

/* What was sealed to the former prekey cannot be opened any more. */
void sz_boot_begin(const struct sz_boot *next);
const struct sz_boot *sz_boot(void);
void sz_boot_release(void);

/* Milliseconds since the TA started (TEE_GetSystemTime). */
uint64_t sz_uptime_ms(void);

#endif
