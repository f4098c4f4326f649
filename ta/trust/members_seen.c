#include "trust/members_seen.h"

#include <string.h>

static struct {
    uint8_t kid[SZ_KID_SIZE];
    uint64_t counter;
    uint8_t digest[SZ_SHA256_SIZE];
} seen[SZ_MAX_SEEN];
static uint32_t count;

static uint32_t find(const uint8_t kid[SZ_KID_SIZE])
{
    uint32_t i = 0;
    while (i < count && memcmp(seen[i].kid, kid, SZ_KID_SIZE) != 0) {
        i++;
    }
    return i;
}

bool sz_seen_again(const uint8_t kid[SZ_KID_SIZE], const uint8_t digest[SZ_SHA256_SIZE])
{
    const uint32_t i = find(kid);
    return i < count && memcmp(seen[i].digest, digest, SZ_SHA256_SIZE) == 0;
}

enum sz_code sz_seen_check(const uint8_t kid[SZ_KID_SIZE], uint64_t counter)
{
    const uint32_t i = find(kid);
    if (i < count) {
        return counter > seen[i].counter ? SZ_OK : SZ_STALE_COUNTER;
    }
    return count < SZ_MAX_SEEN ? SZ_OK : SZ_LIMIT_REACHED;
}

void sz_seen_note(const uint8_t kid[SZ_KID_SIZE], uint64_t counter, const uint8_t digest[SZ_SHA256_SIZE])
{
    const uint32_t i = find(kid);
    if (i == SZ_MAX_SEEN) {
        return;
    }
    count += i == count;
    memcpy(seen[i].kid, kid, SZ_KID_SIZE);
    seen[i].counter = counter;
    memcpy(seen[i].digest, digest, SZ_SHA256_SIZE);
}

void sz_seen_clear(void)
{
    memset(seen, 0, sizeof seen);
    count = 0;
}
