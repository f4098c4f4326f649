#include "trust/roster.h"
#include "trust/boot.h"
#include "trust/calendar.h"
#include "trust/cbor_read.h"
#include "trust/memory.h"
#include "trust/signed.h"
#include "trust/state.h"

#include <string.h>
#include <tee_internal_api.h>

enum { NAME_MAX = 64 };

struct roster {
    uint64_t version;
    uint64_t issued;
    uint64_t lease_ms;    /* 0: none */
    uint64_t in_force_at; /* uptime */
    uint32_t member_count;
    bool lists_us, lists_next, lists_former; /* keys of this device that it names */
    struct sz_zones zones;                   /* that list us */
    struct sz_member members[SZ_MAX_MEMBERS];
};

static struct roster current, incoming;

static void read_key(struct sz_cbor_reader *r, int64_t key, uint8_t out[SZ_KEY_SIZE], bool agreement)
{
    const uint8_t *bytes;
    sz_cbor_key(r, key);
    bytes = sz_cbor_bstr_of(r, SZ_KEY_SIZE);
    if (bytes == NULL) {
        return;
    }
    memcpy(out, bytes, SZ_KEY_SIZE);
    if (agreement && !sz_x25519_acceptable(out)) {
        sz_cbor_fail(r, SZ_BAD_KEY);
    }
}

static void read_name(struct sz_cbor_reader *r)
{
    const size_t length = sz_cbor_tstr(r).length;
    if (length == 0 || length > NAME_MAX) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
}

static void read_member(struct sz_cbor_reader *r, struct roster *roster)
{
    struct sz_member *const m = &roster->members[roster->member_count];
    const size_t pairs = sz_cbor_map(r);
    uint64_t role;
    memset(m, 0, sizeof *m);
    read_key(r, 1, m->signing, false);
    read_key(r, 2, m->agreement, true);
    sz_cbor_key(r, 3);
    role = sz_cbor_uint(r);
    sz_cbor_key(r, 4);
    read_name(r);
    m->not_after = UINT64_MAX;
    if (pairs == 5) {
        sz_cbor_key(r, 5);
        m->not_after = sz_cbor_uint(r);
    }
    if ((pairs != 4 && pairs != 5) || role < SZ_ROLE_SENSOR || role > SZ_ROLE_PUBLISHER) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
    m->role = (uint32_t)role;
    sz_cbor_fail(r, sz_kid(SZ_CURVE_ED25519, m->signing, m->kid));
    for (uint32_t i = 0; i < roster->member_count; i++) { /* one kid, one member */
        if (memcmp(roster->members[i].kid, m->kid, SZ_KID_SIZE) == 0) {
            sz_cbor_fail(r, SZ_MALFORMED);
        }
    }
    roster->member_count++;
}

static void read_device(struct sz_cbor_reader *r, struct roster *roster)
{
    const struct sz_state *const state = sz_state();
    uint8_t signing[SZ_KEY_SIZE] = {0}, agreement[SZ_KEY_SIZE] = {0};
    sz_cbor_map_of(r, 4);
    read_key(r, 1, signing, false);
    read_key(r, 2, agreement, true);
    sz_cbor_key(r, 3);
    if (sz_cbor_uint(r) > 3) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
    sz_cbor_key(r, 4);
    read_name(r);
    roster->lists_us |= memcmp(signing, state->signing.public_key, SZ_KEY_SIZE) == 0 &&
                        memcmp(agreement, state->agreement.public_key, SZ_KEY_SIZE) == 0;
    roster->lists_next |= state->has_next &&
                          memcmp(signing, state->next_signing.public_key, SZ_KEY_SIZE) == 0 &&
                          memcmp(agreement, state->next_agreement.public_key, SZ_KEY_SIZE) == 0;
    roster->lists_former |= state->has_former && memcmp(signing, state->former_signing, SZ_KEY_SIZE) == 0;
}

static void read_zone(struct sz_cbor_reader *r, struct roster *roster)
{
    const struct sz_state *const state = sz_state();
    struct sz_zone zone = {0};
    sz_zone_read(r, &zone);
    if (sz_zone_find(&roster->zones, zone.id) != NULL) { /* one id, one zone */
        sz_cbor_fail(r, SZ_MALFORMED);
    }
    if (sz_cbor_error(r) == SZ_OK && (sz_zone_lists(&zone, state->signing.kid) ||
                                      (state->has_next && sz_zone_lists(&zone, state->next_signing.kid)))) {
        roster->zones.zones[roster->zones.count++] = zone;
    }
}

/* The length of a list that the TA has room for. */
static size_t list(struct sz_cbor_reader *r, int64_t key, size_t most)
{
    size_t count;
    sz_cbor_key(r, key);
    count = sz_cbor_array(r);
    if (count > most) {
        sz_cbor_fail(r, SZ_LIMIT_REACHED);
    }
    return sz_cbor_error(r) == SZ_OK ? count : 0;
}

/* What sz_owners_follow() looks into. */
static void read_succession(struct sz_cbor_reader *r)
{
    const size_t links = sz_cbor_array(r);
    if (links == 0) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
    if (links > SZ_SUCCESSION_MAX) {
        sz_cbor_fail(r, SZ_LIMIT_REACHED);
    }
    for (size_t i = 0; i < links && sz_cbor_error(r) == SZ_OK; i++) {
        (void)sz_cbor_bstr(r);
    }
}

static void read_lease(struct sz_cbor_reader *r, struct roster *out)
{
    const uint64_t lease = sz_cbor_uint(r);
    out->lease_ms = lease > UINT32_MAX ? (uint64_t)UINT32_MAX * 1000 : lease * 1000;
    if (lease == 0) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
}

static enum sz_code parse(struct sz_bytes payload, struct roster *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(payload);
    const enum sz_code code = sz_cbor_check(payload);
    size_t pairs, count;
    memset(out, 0, sizeof *out);
    if (code != SZ_OK) {
        return code;
    }
    pairs = sz_cbor_map(&r);
    sz_cbor_key(&r, 1);
    out->version = sz_cbor_uint(&r);
    sz_cbor_key(&r, 2);
    out->issued = sz_cbor_uint(&r);
    count = list(&r, 3, SZ_MAX_MEMBERS);
    for (size_t i = 0; i < count && sz_cbor_error(&r) == SZ_OK; i++) {
        read_member(&r, out);
    }
    count = list(&r, 4, SZ_MAX_DEVICES);
    for (size_t i = 0; i < count && sz_cbor_error(&r) == SZ_OK; i++) {
        read_device(&r, out);
    }
    count = list(&r, 5, SZ_MAX_ZONES);
    for (size_t i = 0; i < count && sz_cbor_error(&r) == SZ_OK; i++) {
        read_zone(&r, out);
    }
    const bool lease = sz_cbor_optional_key(&r, 6);
    if (lease) {
        read_lease(&r, out);
    }
    const bool succession = sz_cbor_optional_key(&r, 7);
    if (succession) {
        read_succession(&r);
    }
    if (pairs != 5u + lease + succession || out->version == 0 || out->version > SZ_ROSTER_VERSION_MAX) {
        sz_cbor_fail(&r, SZ_MALFORMED);
    }
    return sz_cbor_done(&r);
}

/* Whoever signed must be an owner of the last generation that the roster leads to. *owners: those. A signer
 * who is one already is checked before anything of the payload is looked into. */
static enum sz_code verify(struct sz_bytes message, struct sz_sign1 *sign1, struct sz_owners *owners)
{
    enum sz_code code = sz_sign1_read(message, sign1);
    const uint8_t *signer;
    uint64_t generation;
    *owners = sz_state()->owners;
    if (code == SZ_OK && sz_owners_find(owners, sign1->kid) == NULL) {
        code = sz_cbor_check(sign1->payload);
        if (code == SZ_OK) {
            code = sz_owners_follow(sign1->payload, owners, &generation);
        }
    }
    if (code != SZ_OK) {
        return code;
    }
    signer = sz_owners_find(owners, sign1->kid);
    return signer == NULL ? SZ_NOT_OWNER : sz_signed_verify(sign1, signer, "roster");
}

static void put_in_force(void)
{
    incoming.in_force_at = sz_uptime_ms();
    sz_zones_succeed(&current.zones, &incoming.zones,
                     (struct sz_roster_order){sz_state()->owners.generation, incoming.version});
    current = incoming;
    sz_calendar_owner(current.issued);
}

enum sz_code sz_roster_restore(void)
{
    struct sz_sign1 sign1;
    enum sz_code code;
    if (sz_state()->roster.length == 0) {
        return SZ_OK;
    }
    code = sz_sign1_read(sz_state()->roster, &sign1);
    if (code == SZ_OK) {
        code = parse(sign1.payload, &incoming);
    }
    if (code == SZ_OK) {
        put_in_force();
    }
    return code == SZ_OK ? SZ_OK : SZ_STORAGE_FAILED;
}

/* What the state is with the incoming roster in force. The roster is copied. */
static enum sz_code prepare(struct sz_bytes message, const struct sz_owners *owners, struct sz_state *next)
{
    uint8_t *const copy = message.length <= SZ_ROSTER_MAX ? sz_memory_take(message.length) : NULL;
    if (copy == NULL) {
        return SZ_OUT_OF_MEMORY;
    }
    memcpy(copy, message.at, message.length);
    *next = *sz_state();
    next->roster = SZ_BYTES(copy, message.length);
    next->roster_floor = incoming.version;
    next->owner_time = incoming.issued > next->owner_time ? incoming.issued : next->owner_time;
    next->owners = *owners;
    if (incoming.lists_next) {
        sz_state_use_next_keys(next);
    }
    if (incoming.lists_next ? !incoming.lists_us : !incoming.lists_former) {
        sz_state_forget_former_keys(next);
    }
    return SZ_OK;
}

static enum sz_code commit(struct sz_bytes message, const struct sz_owners *owners)
{
    struct sz_state next;
    enum sz_code code = prepare(message, owners, &next);
    if (code == SZ_OK) {
        code = sz_state_commit(&next);
        sz_wipe(&next, sizeof next);
    }
    return code;
}

enum sz_code sz_roster_accept(struct sz_bytes message, enum sz_roster_change *change)
{
    const struct sz_bytes stored = sz_state()->roster;
    struct sz_owners owners;
    struct sz_sign1 sign1;
    uint64_t generation = 0;
    enum sz_code code = verify(message, &sign1, &owners);
    *change = SZ_ROSTER_SAME;
    if (code == SZ_OK) {
        code = parse(sign1.payload, &incoming);
    }
    if (code == SZ_OK) {
        code = sz_owners_follow(sign1.payload, &owners, &generation);
    }
    if (code == SZ_OK && sz_owners_find(&owners, sign1.kid) == NULL) {
        code = SZ_NOT_OWNER; /* names successors, and is not of them */
    }
    if (code == SZ_OK && generation < owners.generation) {
        code = SZ_STALE_ROSTER; /* of before a succession, signed by a key that it kept */
    }
    if (code != SZ_OK) {
        return code;
    }
    /* The floor is one of the present owners: they come with a roster, or with a claim, which has none. */
    const bool succeeds = owners.generation > sz_state()->owners.generation;
    if (!succeeds && incoming.version == current.version) {
        const bool same =
            stored.length == message.length && memcmp(stored.at, message.at, message.length) == 0;
        return same ? SZ_OK : SZ_ROSTER_CONFLICT;
    }
    if (!succeeds && incoming.version <= sz_state()->roster_floor) { /* after a reset too */
        return SZ_STALE_ROSTER;
    }
    if (!incoming.lists_us && !incoming.lists_next) {
        return SZ_NOT_IN_ROSTER;
    }
    code = commit(message, &owners);
    if (code == SZ_OK) {
        put_in_force();
        *change = incoming.lists_next ? SZ_ROSTER_NEW_KEYS : SZ_ROSTER_NEWER;
    }
    return code;
}

void sz_roster_clear(void)
{
    memset(&current, 0, sizeof current);
}

uint64_t sz_roster_version(void)
{
    return current.version;
}

struct sz_roster_order sz_roster_in_force(void)
{
    return (struct sz_roster_order){sz_state()->owners.generation, current.version};
}

const struct sz_member *sz_roster_find(const uint8_t kid[SZ_KID_SIZE])
{
    for (uint32_t i = 0; i < current.member_count; i++) {
        if (memcmp(current.members[i].kid, kid, SZ_KID_SIZE) == 0) {
            return &current.members[i];
        }
    }
    return NULL;
}

const struct sz_zone *sz_roster_zone(const uint8_t id[SZ_KID_SIZE])
{
    return sz_zone_find(&current.zones, id);
}

enum sz_code sz_roster_authorise(const uint8_t kid[SZ_KID_SIZE], enum sz_role role,
                                 const struct sz_member **member)
{
    const struct sz_member *const found = sz_roster_find(kid);
    if (found == NULL) {
        return SZ_UNKNOWN_SENDER;
    }
    if (found->role != role) {
        return SZ_WRONG_ROLE;
    }
    if (found->not_after < sz_calendar_floor()) {
        return SZ_EXPIRED;
    }
    if (current.lease_ms != 0 && sz_uptime_ms() - current.in_force_at > current.lease_ms) {
        return SZ_LEASE_ENDED;
    }
    *member = found;
    return SZ_OK;
}
