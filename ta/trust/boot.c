#include "trust/boot.h"

#include <tee_internal_api.h>

static struct sz_boot boot;
static uint64_t started;

static uint64_t now_ms(void)
{
    TEE_Time time;
    TEE_GetSystemTime(&time);
    return (uint64_t)time.seconds * 1000 + time.millis;
}

enum sz_code sz_boot_begin(void)
{
    if (started == 0) {
        started = now_ms();
    }
    sz_random(boot.nonce, sizeof boot.nonce);
    sz_random(boot.claim_nonce, sizeof boot.claim_nonce);
    return sz_agreement_key_generate(&boot.prekey);
}

const struct sz_boot *sz_boot(void)
{
    return &boot;
}

void sz_boot_release(void)
{
    sz_wipe(&boot, sizeof boot);
}

uint64_t sz_uptime_ms(void)
{
    return now_ms() - started;
}
