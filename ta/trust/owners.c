#include "trust/owners.h"
#include "trust/signed.h"

#include <string.h>

enum { ROSTER_SUCCESSION = 7 };

const uint8_t *sz_owners_find(const struct sz_owners *owners, const uint8_t kid[SZ_KID_SIZE])
{
    uint8_t own[SZ_KID_SIZE];
    for (uint32_t i = 0; i < owners->count; i++) {
        if (sz_kid(SZ_CURVE_ED25519, owners->keys[i], own) == SZ_OK && memcmp(own, kid, SZ_KID_SIZE) == 0) {
            return owners->keys[i];
        }
    }
    return NULL;
}

void sz_owners_read_keys(struct sz_cbor_reader *r, struct sz_owners *out)
{
    const size_t count = sz_cbor_array(r);
    out->count = 0;
    if (count == 0 || count > SZ_MAX_OWNERS) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
    for (size_t i = 0; i < count && sz_cbor_error(r) == SZ_OK; i++) {
        const uint8_t *const key = sz_cbor_bstr_of(r, SZ_KEY_SIZE);
        if (key != NULL) {
            memcpy(out->keys[i], key, SZ_KEY_SIZE);
            out->count++;
        }
    }
}

static bool contains(const struct sz_owners *owners, const uint8_t key[SZ_KEY_SIZE])
{
    for (uint32_t i = 0; i < owners->count; i++) {
        if (memcmp(owners->keys[i], key, SZ_KEY_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

/* The same keys in any order. */
static bool same_keys(const struct sz_owners *a, const struct sz_owners *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        same = contains(b, a->keys[i]) && contains(a, b->keys[i]);
    }
    return same;
}

static enum sz_code read_link(struct sz_bytes payload, struct sz_owners *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(payload);
    const enum sz_code code = sz_cbor_check(payload);
    if (code != SZ_OK) {
        return code;
    }
    memset(out, 0, sizeof *out);
    sz_cbor_map_of(&r, 2);
    sz_cbor_key(&r, 1);
    out->generation = sz_cbor_uint(&r);
    sz_cbor_key(&r, 2);
    sz_owners_read_keys(&r, out);
    if (out->generation == 0) {
        sz_cbor_fail(&r, SZ_MALFORMED);
    }
    return sz_cbor_done(&r);
}

static enum sz_code follow_link(struct sz_bytes message, struct sz_owners *owners, uint64_t *generation)
{
    struct sz_sign1 sign1;
    struct sz_owners next;
    const uint8_t *signer;
    enum sz_code code = sz_sign1_read(message, &sign1);
    if (code == SZ_OK) {
        code = read_link(sign1.payload, &next);
    }
    if (code == SZ_OK) {
        *generation = next.generation;
    }
    if (code != SZ_OK || next.generation < owners->generation) {
        return code;
    }
    if (next.generation == owners->generation) {
        return same_keys(&next, owners) ? SZ_OK : SZ_OWNERS_CONFLICT;
    }
    signer = sz_owners_find(owners, sign1.kid);
    if (next.generation - owners->generation != 1 || signer == NULL) {
        return SZ_NOT_OWNER;
    }
    code = sz_signed_verify(&sign1, signer, "owners");
    if (code == SZ_OK) {
        *owners = next;
    }
    return code;
}

enum sz_code sz_owners_follow(struct sz_bytes roster, struct sz_owners *owners, uint64_t *generation)
{
    struct sz_cbor_reader r = sz_cbor_reader(roster);
    const size_t pairs = sz_cbor_map(&r);
    size_t links;
    enum sz_code code = SZ_OK;
    *generation = owners->generation;
    for (size_t i = 0; i < pairs && sz_cbor_ok(&r); i++) {
        if (!sz_cbor_optional_key(&r, ROSTER_SUCCESSION)) {
            (void)sz_cbor_skip(&r);
            (void)sz_cbor_skip(&r);
            continue;
        }
        links = sz_cbor_array(&r);
        if (links == 0) {
            sz_cbor_fail(&r, SZ_MALFORMED);
        }
        if (links > SZ_SUCCESSION_MAX) {
            sz_cbor_fail(&r, SZ_LIMIT_REACHED);
        }
        for (size_t link = 0; link < links && code == SZ_OK && sz_cbor_ok(&r); link++) {
            const struct sz_bytes message = sz_cbor_bstr(&r);
            code = sz_cbor_ok(&r) ? follow_link(message, owners, generation) : SZ_OK;
        }
        break;
    }
    return code != SZ_OK ? code : sz_cbor_error(&r);
}
