/* RFC 8949, appendix A: what is deterministic and in the profile is read, with the published value, and
 * written again to the same bytes; everything else is refused. */
#include "trust/cbor_read.h"
#include "trust/cbor_write.h"
#include "trust_vectors.h"

#include <inttypes.h>
#include <string.h>

/* Reads items and writes them again. A head says how many items follow, so a flat loop over `items` visits
 * all. */
static void rewrite(struct sz_cbor_reader *r, struct sz_cbor_writer *w)
{
    size_t items = 1;
    for (; items > 0 && sz_cbor_ok(r); items--) {
        struct sz_cbor_head head = {0};
        struct sz_bytes bytes;
        size_t count;
        CHECK(sz_cbor_peek(r, &head));
        switch (head.major) {
        case 0:
            sz_cbor_put_uint(w, sz_cbor_uint(r));
            break;
        case 1:
            sz_cbor_put_nint(w, sz_cbor_nint(r));
            break;
        case 2:
            bytes = sz_cbor_bstr(r);
            sz_cbor_put_bstr(w, bytes.at, bytes.length);
            break;
        case 3:
            bytes = sz_cbor_tstr(r);
            sz_cbor_put_tstr(w, bytes.at, bytes.length);
            break;
        case 4:
            count = sz_cbor_array(r);
            sz_cbor_put_array(w, count);
            items += count;
            break;
        case 5:
            count = sz_cbor_map(r);
            sz_cbor_put_map(w, count);
            items += 2 * count;
            break;
        case 6:
            sz_cbor_put_tag(w, sz_cbor_tag(r));
            items++;
            break;
        default:
            if (head.info >= 25) {
                sz_cbor_put_float(w, sz_cbor_float(r));
            } else if (head.info == 22) {
                sz_cbor_null(r);
                sz_cbor_put_null(w);
            } else {
                sz_cbor_put_bool(w, sz_cbor_bool(r));
            }
        }
    }
}

/* The value as vectors.mjs writes it. */
static void describe(struct sz_bytes message, char kind, char *out, size_t size)
{
    struct sz_cbor_reader r = sz_cbor_reader(message);
    struct sz_bytes bytes;
    struct sz_cbor_head head = {0};
    double value;
    uint64_t bits;
    switch (kind) {
    case 'u':
        (void)snprintf(out, size, "u:%" PRIu64, sz_cbor_uint(&r));
        break;
    case 'i':
        (void)snprintf(out, size, "i:%" PRId64, sz_cbor_int(&r));
        break;
    case 'f':
        value = sz_cbor_float(&r);
        memcpy(&bits, &value, sizeof bits);
        (void)snprintf(out, size, "f:%016" PRIx64, bits);
        break;
    case 's':
        CHECK(sz_cbor_peek(&r, &head));
        if (head.info == 22) {
            sz_cbor_null(&r);
            (void)snprintf(out, size, "s:null");
        } else {
            (void)snprintf(out, size, "s:%s", sz_cbor_bool(&r) ? "true" : "false");
        }
        break;
    default:
        bytes = kind == 't' ? sz_cbor_tstr(&r) : sz_cbor_bstr(&r);
        CHECK(2 * bytes.length + 3 <= size);
        out[0] = kind;
        out[1] = ':';
        out[2] = '\0';
        for (size_t i = 0; i < bytes.length; i++) {
            (void)snprintf(out + 2 + 2 * i, 3, "%02x", bytes.at[i]);
        }
    }
    CHECK(sz_cbor_done(&r) == SZ_OK);
}

/* result message value */
bool vector_cbor(const struct trust_line *line)
{
    const bool good = strcmp(line->words[1], "valid") == 0;
    const struct sz_bytes message = trust_hex(line, 2);
    trust_test_now = line->words[2];
    CHECK(sz_cbor_check(message) == (good ? SZ_OK : SZ_MALFORMED));
    if (!good) {
        return true;
    }
    uint8_t out[64];
    struct sz_cbor_reader r = sz_cbor_reader(message);
    struct sz_cbor_writer w = sz_cbor_writer(out, sizeof out);
    rewrite(&r, &w);
    CHECK(sz_cbor_done(&r) == SZ_OK && trust_same(SZ_BYTES(out, sz_cbor_written(&w)), message));
    const char *const expected = line->words[3];
    if (strcmp(expected, "-") != 0) {
        char found[128];
        describe(message, expected[0], found, sizeof found);
        CHECK(strcmp(found, expected) == 0);
    }
    return false;
}
