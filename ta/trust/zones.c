#include "trust/zones.h"

#include <string.h>

enum { ZONE_NAME_MAX = 64 };

bool sz_zone_lists(const struct sz_zone *zone, const uint8_t device[SZ_KID_SIZE])
{
    for (uint32_t i = 0; i < zone->device_count; i++) {
        if (memcmp(zone->devices[i], device, SZ_KID_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

void sz_zone_read(struct sz_cbor_reader *r, struct sz_zone *out)
{
    const uint8_t *bytes;
    size_t count;
    sz_cbor_map_of(r, 3);
    sz_cbor_key(r, 1);
    bytes = sz_cbor_bstr_of(r, SZ_KID_SIZE);
    if (bytes != NULL) {
        memcpy(out->id, bytes, SZ_KID_SIZE);
    }
    sz_cbor_key(r, 2);
    count = sz_cbor_array(r);
    if (count == 0 || count > SZ_MAX_ZONE_DEVICES) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
    while (out->device_count < count && (bytes = sz_cbor_bstr_of(r, SZ_KID_SIZE)) != NULL) {
        memcpy(out->devices[out->device_count++], bytes, SZ_KID_SIZE);
    }
    sz_cbor_key(r, 3);
    count = sz_cbor_tstr(r).length;
    if (count == 0 || count > ZONE_NAME_MAX) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
}

const struct sz_zone *sz_zone_find(const struct sz_zones *zones, const uint8_t id[SZ_KID_SIZE])
{
    for (uint32_t i = 0; i < zones->count; i++) {
        if (memcmp(zones->zones[i].id, id, SZ_KID_SIZE) == 0) {
            return &zones->zones[i];
        }
    }
    return NULL;
}

static bool keeps_all(const struct sz_zone *before, const struct sz_zone *next)
{
    for (uint32_t i = 0; i < before->device_count; i++) {
        if (!sz_zone_lists(next, before->devices[i])) {
            return false;
        }
    }
    return true;
}

void sz_zones_succeed(const struct sz_zones *before, struct sz_zones *next, struct sz_roster_order roster)
{
    for (uint32_t i = 0; i < next->count; i++) {
        struct sz_zone *const zone = &next->zones[i];
        const struct sz_zone *const old = sz_zone_find(before, zone->id);
        zone->since = old != NULL && keeps_all(old, zone) ? old->since : roster;
    }
}
