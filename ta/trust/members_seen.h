/* The highest counter that each sender has used in this boot, with the digest of that message: retained
 * messages come again on every reconnect, older ones must not. Kept for the whole boot, whatever happens to
 * channels and roster. */
#ifndef SZ_MEMBERS_SEEN_H
#define SZ_MEMBERS_SEEN_H

#include "trust/kid.h"
#include <stdbool.h>

enum { SZ_MAX_SEEN = 256 };

/* True if this very message was the last one accepted from this sender. */
bool sz_seen_again(const uint8_t kid[SZ_KID_SIZE], const uint8_t digest[SZ_SHA256_SIZE]);

/* STALE_COUNTER unless counter is above the last; LIMIT_REACHED if there is no room for another sender. */
enum sz_code sz_seen_check(const uint8_t kid[SZ_KID_SIZE], uint64_t counter);

/* Remembers an accepted message, after sz_seen_check(). */
void sz_seen_note(const uint8_t kid[SZ_KID_SIZE], uint64_t counter, const uint8_t digest[SZ_SHA256_SIZE]);

void sz_seen_clear(void);

#endif
