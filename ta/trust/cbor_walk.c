/* Map keys, and walking over items of any kind without recursion. */
#include "trust/cbor_read.h"

#include <string.h>

void sz_cbor_key(struct sz_cbor_reader *r, int64_t key)
{
    if (sz_cbor_int(r) != key) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
}

bool sz_cbor_optional_key(struct sz_cbor_reader *r, int64_t key)
{
    struct sz_cbor_reader ahead = *r;
    if (sz_cbor_int(&ahead) != key || ahead.error != SZ_OK) {
        return false;
    }
    *r = ahead;
    return true;
}

/* One open array, map or tag. */
struct level {
    uint64_t left; /* items to come (a map has two for each pair) */
    bool map;
    struct sz_bytes before; /* the encoded key before the current one; a map's first: length 0 */
    size_t key_start;
};

/* Bytewise order of encoded keys (RFC 8949, section 4.2.1). */
static enum sz_code check_key(struct sz_bytes before, struct sz_bytes key)
{
    const size_t shorter = before.length < key.length ? before.length : key.length;
    if (before.length == 0) {
        return SZ_OK;
    }
    const int order = memcmp(before.at, key.at, shorter);
    if (order == 0 && before.length == key.length) {
        return SZ_DUPLICATE_KEY;
    }
    return order > 0 || (order == 0 && before.length > key.length) ? SZ_MALFORMED : SZ_OK;
}

/* Moves over the head of the next item and over a string's or number's content. *children: items inside it.
 */
static void step(struct sz_cbor_reader *r, uint64_t *children, bool *map)
{
    struct sz_cbor_head head;
    *children = 0;
    *map = false;
    if (!sz_cbor_peek(r, &head)) {
        (void)sz_cbor_uint(r); /* makes the error of the head stick */
        return;
    }
    switch (head.major) {
    case 0:
        (void)sz_cbor_uint(r);
        break;
    case 1:
        (void)sz_cbor_nint(r);
        break;
    case 2:
        (void)sz_cbor_bstr(r);
        break;
    case 3:
        (void)sz_cbor_tstr(r);
        break;
    case 4:
        *children = sz_cbor_array(r);
        break;
    case 5:
        *children = 2 * (uint64_t)sz_cbor_map(r);
        *map = true;
        break;
    case 6:
        (void)sz_cbor_tag(r);
        *children = 1;
        break;
    default:
        if (head.info >= 25) {
            (void)sz_cbor_float(r);
        } else {
            sz_cbor_simple(r);
        }
    }
}

struct sz_bytes sz_cbor_skip(struct sz_cbor_reader *r)
{
    struct level levels[SZ_CBOR_MAX_DEPTH];
    const size_t start = r->at;
    size_t depth = 0;
    do {
        uint64_t children;
        bool map;
        if (depth > 0 && levels[depth - 1].map && levels[depth - 1].left % 2 == 0) {
            struct sz_cbor_head key;
            levels[depth - 1].key_start = r->at;
            if (sz_cbor_peek(r, &key) && key.major != 0 && key.major != 1 && key.major != 3) {
                sz_cbor_fail(r, SZ_MALFORMED); /* keys are integers or text */
                break;
            }
        }
        step(r, &children, &map);
        if (children > 0 && r->error == SZ_OK) {
            if (depth == SZ_CBOR_MAX_DEPTH) {
                sz_cbor_fail(r, SZ_MALFORMED);
                break;
            }
            levels[depth++] = (struct level){children, map, {NULL, 0}, 0};
            continue;
        }
        /* An item has ended, and perhaps the ones around it. */
        while (r->error == SZ_OK && depth > 0) {
            struct level *const inner = &levels[depth - 1];
            inner->left--;
            if (inner->map && inner->left % 2 == 1) {
                const struct sz_bytes key =
                    SZ_BYTES(r->bytes.at + inner->key_start, r->at - inner->key_start);
                const enum sz_code code = check_key(inner->before, key);
                inner->before = key;
                if (code != SZ_OK) {
                    sz_cbor_fail(r, code);
                }
            }
            if (inner->left > 0) {
                break;
            }
            depth--;
        }
    } while (r->error == SZ_OK && depth > 0);
    return r->error == SZ_OK ? SZ_BYTES(r->bytes.at + start, r->at - start) : SZ_BYTES(NULL, 0);
}

enum sz_code sz_cbor_check(struct sz_bytes bytes)
{
    struct sz_cbor_reader r = sz_cbor_reader(bytes);
    (void)sz_cbor_skip(&r);
    return sz_cbor_done(&r);
}
