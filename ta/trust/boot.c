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

enum sz_code sz_boot_draw(struct sz_boot *next)
{
    sz_random(next->nonce, sizeof next->nonce);
    sz_random(next->claim_nonce, sizeof next->claim_nonce);
    return sz_agreement_key_generate(&next->prekey);
}

void sz_boot_begin(const struct sz_boot *next)
{
    if (started == 0) {
        started = now_ms();
    }
    boot = *next;
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
