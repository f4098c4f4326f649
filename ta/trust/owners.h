/* Who owns the device: a set of keys, and how one set gives way to the next (CDDL owners). */
#ifndef SZ_OWNERS_H
#define SZ_OWNERS_H

#include "trust/cbor_read.h"
#include "trust/kid.h"

enum {
    SZ_MAX_OWNERS = 3,
    SZ_SUCCESSION_MAX = 16, /* links that a roster carries */
};

struct sz_owners {
    uint64_t generation;                      /* 0: unclaimed; else from 1, one more with each succession */
    uint32_t count;                           /* 0: unclaimed */
    uint8_t keys[SZ_MAX_OWNERS][SZ_KEY_SIZE]; /* Ed25519: any one may speak for the owner */
};

/* The key that has this kid, or NULL. */
const uint8_t *sz_owners_find(const struct sz_owners *owners, const uint8_t kid[SZ_KID_SIZE]);

/* Reads an array of 1 to 3 keys; trouble sticks to the reader. */
void sz_owners_read_keys(struct sz_cbor_reader *r, struct sz_owners *out);

/* Follows the links that a roster carries (its payload's key 7; none is nothing to follow), from *owners to
 * the last generation that they lead to: each is signed by a key of the generation before. Older links are
 * passed over. NOT_OWNER where they do not continue what is known, OWNERS_CONFLICT where another set has the
 * generation of *owners, BAD_SIGNATURE and the form's. *owners says nothing after an error. The payload was
 * checked (sz_cbor_check()), not verified. *generation: the roster's own, that of its last link; *owners'
 * where it has none. Lower than *owners': the roster is older than they are, whoever signed it. */
enum sz_code sz_owners_follow(struct sz_bytes roster, struct sz_owners *owners, uint64_t *generation);

#endif
