/* The zones of a roster that list this device: several devices share the frames of a sensor that offers one
 * channel to all of them. */
#ifndef SZ_ZONES_H
#define SZ_ZONES_H

#include "trust/cbor_read.h"
#include "trust/kid.h"
#include "trust/roster_order.h"

enum {
    SZ_MAX_ZONES = 16,
    SZ_MAX_ZONE_DEVICES = 16, /* as many as one offer has recipients */
};

struct sz_zone {
    uint8_t id[SZ_KID_SIZE];
    struct sz_roster_order since; /* the roster by which a device last left it, or by which it came to be */
    uint32_t device_count;
    uint8_t devices[SZ_MAX_ZONE_DEVICES][SZ_KID_SIZE];
};

struct sz_zones {
    uint32_t count;
    struct sz_zone zones[SZ_MAX_ZONES];
};

/* Reads one (CDDL zone). What is wrong with it is the reader's error. */
void sz_zone_read(struct sz_cbor_reader *r, struct sz_zone *out);

bool sz_zone_lists(const struct sz_zone *zone, const uint8_t device[SZ_KID_SIZE]);

const struct sz_zone *sz_zone_find(const struct sz_zones *zones, const uint8_t id[SZ_KID_SIZE]);

/* Sets `since` of what is in `next`, the zones of the roster that takes the place of the one with `before`. A
 * device that leaves a zone keeps the keys of its channels: they must not be used any more. */
void sz_zones_succeed(const struct sz_zones *before, struct sz_zones *next, struct sz_roster_order roster);

#endif
