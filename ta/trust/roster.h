/* The roster in force: who may talk to this device, and as what. */
#ifndef SZ_ROSTER_H
#define SZ_ROSTER_H

#include "trust/roster_order.h"
#include "trust/zones.h"

enum { SZ_MAX_MEMBERS = 128, SZ_MAX_DEVICES = 64 };

enum sz_role { SZ_ROLE_SENSOR = 1, SZ_ROLE_RULES = 2, SZ_ROLE_PUBLISHER = 3 };

struct sz_member {
    uint8_t signing[SZ_KEY_SIZE];
    uint8_t agreement[SZ_KEY_SIZE];
    uint8_t kid[SZ_KID_SIZE]; /* of the signing key */
    uint32_t role;
    uint64_t not_after; /* seconds; UINT64_MAX: for ever (0 is a date: 1970) */
};

/* Puts the stored roster in force at start: it was verified before it was stored. Its lease begins anew: the
 * TA cannot know how long it was off. */
enum sz_code sz_roster_restore(void);

enum sz_roster_change {
    SZ_ROSTER_SAME,     /* in force already */
    SZ_ROSTER_NEWER,    /* now in force */
    SZ_ROSTER_NEW_KEYS, /* as well, and the device's next keys have taken the place of its former ones */
};

/* Verifies a signed roster, follows the succession of owners that it carries, stores both and puts them in
 * force. Newer is what sz_roster_older() says: under later owners a version may be any. A roster that lists
 * the device's next keys puts them in place; one that does not list the former ones any more ends them.
 * NOT_OWNER, OWNERS_CONFLICT, STALE_ROSTER, ROSTER_CONFLICT, NOT_IN_ROSTER, LIMIT_REACHED, BAD_KEY,
 * STORAGE_FAILED and the form's. */
enum sz_code sz_roster_accept(struct sz_bytes message, enum sz_roster_change *change);

/* Nobody may talk to the device any more (reset, new identity). Memory only. */
void sz_roster_clear(void);

uint64_t sz_roster_version(void); /* 0: none */
struct sz_roster_order sz_roster_in_force(void);
const struct sz_member *sz_roster_find(const uint8_t kid[SZ_KID_SIZE]);

/* The zone of this id, if it lists this device; NULL otherwise. */
const struct sz_zone *sz_roster_zone(const uint8_t id[SZ_KID_SIZE]);

/* The member, if it may act in this role now. UNKNOWN_SENDER, WRONG_ROLE, EXPIRED, LEASE_ENDED. */
enum sz_code sz_roster_authorise(const uint8_t kid[SZ_KID_SIZE], enum sz_role role,
                                 const struct sz_member **member);

#endif
