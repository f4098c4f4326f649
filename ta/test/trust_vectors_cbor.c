/* RFC 8949, appendix A: what is deterministic and in the profile is read, with the published value, and
 * written again to the same bytes; everything else is refused. */
#include "trust_cbor_rewrite.h"
#include "trust_vectors.h"

#include <inttypes.h>
#include <string.h>

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
    trust_cbor_rewrite(&r, &w);
    CHECK(sz_cbor_done(&r) == SZ_OK && trust_same(SZ_BYTES(out, sz_cbor_written(&w)), message));
    const char *const expected = line->words[3];
    if (strcmp(expected, "-") != 0) {
        char found[128];
        describe(message, expected[0], found, sizeof found);
        CHECK(strcmp(found, expected) == 0);
    }
    return false;
}
