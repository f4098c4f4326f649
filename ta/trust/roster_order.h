/* Which of two rosters is the newer one: that of the later generation of owner keys, and of one generation
 * that of the higher version. By the version alone, whoever has stolen an owner key could sign the highest
 * there is, and the owners who replaced that key could never sign a newer one. */
#ifndef SZ_ROSTER_ORDER_H
#define SZ_ROSTER_ORDER_H

#include <stdbool.h>
#include <stdint.h>

/* The highest version: the most that every client can hold (a double is exact to 2^53). A device with more
 * would say in its hello what nobody can read. */
#define SZ_ROSTER_VERSION_MAX ((UINT64_C(1) << 53) - 1)

struct sz_roster_order {
    uint64_t generation; /* of the owner keys (trust/owners.h) */
    uint64_t version;    /* 0: no roster */
};

static inline bool sz_roster_older(struct sz_roster_order a, struct sz_roster_order b)
{
    return a.generation != b.generation ? a.generation < b.generation : a.version < b.version;
}

#endif
