/* Secrets as valgrind's memcheck sees them: memory whose bits are undefined. A branch or an address that
 * depends on such a bit is an error there, which is how ctgrind (Langley, 2010) finds code whose time depends
 * on a secret. trust_constant_time_border.c says where secrets come from and what is not secret any more. */
#ifndef TRUST_CONSTANT_TIME_H
#define TRUST_CONSTANT_TIME_H

#include <stddef.h>
#include <stdint.h>

/* Any copy of these bytes that the TA decrypts is a secret: at most 16 of them. */
void secret_is(const void *bytes, size_t length);

/* What the test makes secret, and declares public, itself. */
void secret(void *at, size_t length);
void public(const void *at, size_t length);

/* How many bytes were found secret on their way out of the TEE's API so far: none would prove nothing. */
unsigned long secrets_made(void);

/* A TA that is careless on purpose, to see that it is noticed. */
enum leak { NO_LEAK, LEAK_BRANCH, LEAK_INDEX };
extern enum leak leak;

#endif
