#include "trust/epoch.h"
#include "trust/boot.h"
#include "trust/roster.h"
#include "trust/state.h"

#include <string.h>

/* How long an epoch lasts; tests build the TA with less. */
#ifndef SZ_EPOCH_RECORDS
#define SZ_EPOCH_RECORDS (1u << 20)
#endif
#ifndef SZ_EPOCH_MS
#define SZ_EPOCH_MS ((uint64_t)24 * 60 * 60 * 1000)
#endif

enum { MAX_SENDERS = SZ_MAX_MEMBERS + 1 };

struct sender {
    enum sz_purpose purpose;
    uint8_t kid[SZ_KID_SIZE];
    uint8_t key[SZ_AES_KEY_SIZE];
    uint64_t last;
};

static struct {
    struct sz_epoch epoch;
    uint64_t began;
    uint32_t records;
    uint32_t sender_count;
    struct sender senders[MAX_SENDERS];
} now;

void sz_epoch_next(void)
{
    const uint64_t number = now.epoch.number + 1;
    sz_wipe(&now, sizeof now);
    now.epoch.number = number;
    now.began = sz_uptime_ms();
    sz_random(now.epoch.channel, sizeof now.epoch.channel);
    sz_random(now.epoch.secret, sizeof now.epoch.secret);
}

const struct sz_epoch *sz_epoch_now(void)
{
    if (now.records >= SZ_EPOCH_RECORDS || sz_uptime_ms() - now.began > SZ_EPOCH_MS) {
        sz_epoch_next();
    }
    return &now.epoch;
}

static enum sz_code find_sender(enum sz_purpose purpose, const uint8_t kid[SZ_KID_SIZE], struct sender **out)
{
    struct sender *sender;
    enum sz_code code;
    for (uint32_t i = 0; i < now.sender_count; i++) {
        sender = &now.senders[i];
        if (sender->purpose == purpose && memcmp(sender->kid, kid, SZ_KID_SIZE) == 0) {
            *out = sender;
            return SZ_OK;
        }
    }
    if (now.sender_count == MAX_SENDERS) {
        return SZ_LIMIT_REACHED;
    }
    sender = &now.senders[now.sender_count];
    code =
        sz_record_key(now.epoch.secret, purpose, sz_state()->signing.kid, kid, now.epoch.number, sender->key);
    if (code == SZ_OK) {
        sender->purpose = purpose;
        memcpy(sender->kid, kid, SZ_KID_SIZE);
        sender->last = 0;
        now.sender_count++;
        *out = sender;
    }
    return code;
}

enum sz_code sz_epoch_seal(enum sz_purpose purpose, const uint8_t kid[SZ_KID_SIZE], struct sz_bytes plaintext,
                           uint8_t *out, size_t capacity, size_t *length)
{
    uint8_t aad[SZ_RECORD_EXTERNAL_AAD];
    struct sender *sender = NULL;
    enum sz_code code;
    (void)sz_epoch_now();
    code = find_sender(purpose, kid, &sender);
    if (code != SZ_OK) {
        return code;
    }
    sender->last++; /* reserved before it is used: never twice under one key */
    now.records++;
    return sz_record_seal(now.epoch.channel, sender->last, sender->key,
                          sz_record_external_aad(purpose, sz_state()->signing.kid, kid, aad), plaintext, out,
                          capacity, length);
}

void sz_epoch_release(void)
{
    sz_wipe(&now, sizeof now);
}
