/* The CBOR parser on what is not deterministic CBOR, and the writer at the end of its buffer. */
#include "trust/cbor_float.h"
#include "trust_cbor_rewrite.h"
#include "trust_test.h"

#include <string.h>

static size_t of_hex(const char *hex, uint8_t *out)
{
    size_t length = 0;
    for (; hex[2 * length] != '\0'; length++) {
        unsigned byte;
        CHECK(sscanf(hex + 2 * length, "%2x", &byte) == 1);
        out[length] = (uint8_t)byte;
    }
    return length;
}

static enum sz_code check_copy(const uint8_t *bytes, size_t length)
{
    uint8_t *const copy = trust_copy(bytes, length);
    const enum sz_code code = sz_cbor_check(SZ_BYTES(copy, length));
    free(copy);
    return code;
}

static const struct {
    const char *hex;
    enum sz_code code;
} cases[] = {
    {"", SZ_TRUNCATED},
    {"00", SZ_OK},
    {"1817", SZ_MALFORMED}, /* longer than needed */
    {"1900ff", SZ_MALFORMED},
    {"1a0000ffff", SZ_MALFORMED},
    {"1b00000000ffffffff", SZ_MALFORMED},
    {"3817", SZ_MALFORMED},
    {"580100", SZ_MALFORMED},
    {"780161", SZ_MALFORMED},
    {"980100", SZ_MALFORMED},
    {"b8010000", SZ_MALFORMED},
    {"d81000", SZ_MALFORMED},
    {"18", SZ_TRUNCATED},
    {"19ff", SZ_TRUNCATED},
    {"1affffff", SZ_TRUNCATED},
    {"1bffffffffffffff", SZ_TRUNCATED},
    {"1c", SZ_MALFORMED}, /* reserved */
    {"1d", SZ_MALFORMED},
    {"1e", SZ_MALFORMED},
    {"1f", SZ_MALFORMED},
    {"5f4100ff", SZ_MALFORMED}, /* indefinite lengths */
    {"7f6161ff", SZ_MALFORMED},
    {"9f00ff", SZ_MALFORMED},
    {"bf0000ff", SZ_MALFORMED},
    {"ff", SZ_MALFORMED},
    {"4200", SZ_TRUNCATED},
    {"5bffffffffffffffff", SZ_TRUNCATED}, /* lengths beyond the address space */
    {"7bffffffffffffffff", SZ_TRUNCATED},
    {"9bffffffffffffffff", SZ_TRUNCATED},
    {"bbffffffffffffffff", SZ_TRUNCATED},
    {"bb8000000000000000", SZ_TRUNCATED},
    {"5affffffff", SZ_TRUNCATED},
    {"8100", SZ_OK},
    {"8200", SZ_TRUNCATED},
    {"a10000", SZ_OK},
    {"a100", SZ_TRUNCATED},
    {"0000", SZ_TRAILING_BYTES},
    {"8000", SZ_TRAILING_BYTES},
    {"a2010001f5", SZ_DUPLICATE_KEY},
    {"a2616100616100", SZ_DUPLICATE_KEY},
    {"a202000100", SZ_MALFORMED},   /* keys out of order */
    {"a2200001f5", SZ_MALFORMED},   /* -1 before 1 */
    {"a261610001f5", SZ_MALFORMED}, /* text before a number */
    {"a261620061616100", SZ_MALFORMED},
    {"a2616200626161f5", SZ_OK}, /* shorter text first */
    {"a262616100616200", SZ_MALFORMED},
    {"a3010020006161f6", SZ_OK},
    {"a1a0a0", SZ_MALFORMED}, /* keys are integers or text */
    {"a1410000", SZ_MALFORMED},
    {"a1f400", SZ_MALFORMED},
    {"a1c10000", SZ_MALFORMED},
    {"8261618201a2010001f5", SZ_DUPLICATE_KEY}, /* in an inner map too */
    {"a201a202000100a0f5", SZ_MALFORMED},
    {"61ff", SZ_MALFORMED}, /* not UTF-8: RFC 3629 */
    {"61c3", SZ_MALFORMED},
    {"62c080", SZ_MALFORMED},
    {"62c1bf", SZ_MALFORMED},
    {"63e08080", SZ_MALFORMED},
    {"63eda080", SZ_MALFORMED},
    {"63efbfbf", SZ_OK},
    {"64f0808080", SZ_MALFORMED},
    {"64f48fbfbf", SZ_OK},
    {"64f4908080", SZ_MALFORMED},
    {"64f5808080", SZ_MALFORMED},
    {"62c328", SZ_MALFORMED},
    {"f4", SZ_OK},
    {"f6", SZ_OK},
    {"f7", SZ_MALFORMED}, /* simple values outside the profile */
    {"e0", SZ_MALFORMED},
    {"f3", SZ_MALFORMED},
    {"f814", SZ_MALFORMED},
    {"f820", SZ_MALFORMED},
    {"f8ff", SZ_MALFORMED},
    {"f97e00", SZ_OK},
    {"f97e01", SZ_MALFORMED}, /* one NaN only */
    {"f9fe00", SZ_MALFORMED},
    {"fa7fc00001", SZ_MALFORMED},
    {"fb7ff8000000000001", SZ_MALFORMED},
    {"f98000", SZ_OK}, /* -0.0 */
    {"fa80000000", SZ_MALFORMED},
    {"fa3f800000", SZ_MALFORMED}, /* 1.0 is a half */
    {"fb3ff0000000000000", SZ_MALFORMED},
    {"fa47c35000", SZ_OK}, /* 100000.0 is a single */
    {"fb40f86a0000000000", SZ_MALFORMED},
    {"fb3ff199999999999a", SZ_OK},
    {"fa477fe000", SZ_MALFORMED}, /* 65504.0, the greatest half */
    {"fa477ff000", SZ_OK},
    {"fa33800000", SZ_MALFORMED},         /* 2^-24, the least half */
    {"fa33000000", SZ_OK},                /* 2^-25 */
    {"fb47f0000000000000", SZ_OK},        /* 2^128, beyond single */
    {"fb36a0000000000000", SZ_MALFORMED}, /* 2^-149, the least single */
    {"fb3690000000000000", SZ_OK},
    {"f93c", SZ_TRUNCATED},
    {"fb3ff1", SZ_TRUNCATED},
    {"c1", SZ_TRUNCATED},
    {"8181818181818181818181818181818100", SZ_OK},          /* 16 levels */
    {"818181818181818181818181818181818100", SZ_MALFORMED}, /* 17 */
    {"c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c100", SZ_MALFORMED},
};

static unsigned malformed(void)
{
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        trust_test_now = cases[i].hex;
        CHECK(check_copy(bytes, of_hex(cases[i].hex, bytes)) == cases[i].code);
    }
    return sizeof cases / sizeof cases[0];
}

/* An item with everything in it. */
static size_t sample(uint8_t *buffer, size_t capacity)
{
    struct sz_cbor_writer w = sz_cbor_writer(buffer, capacity);
    sz_cbor_put_tag(&w, 18);
    sz_cbor_put_map(&w, 6);
    sz_cbor_put_int(&w, 1);
    sz_cbor_put_array(&w, 7);
    sz_cbor_put_uint(&w, UINT64_MAX);
    sz_cbor_put_int(&w, INT64_MIN);
    sz_cbor_put_float(&w, 1.5);
    sz_cbor_put_float(&w, 100000.0);
    sz_cbor_put_float(&w, 1.1);
    sz_cbor_put_null(&w);
    sz_cbor_put_bool(&w, true);
    sz_cbor_put_uint(&w, 500);
    sz_cbor_put_text(&w, "Fr\xc3\xbchst\xc3\xbc"
                         "ck");
    sz_cbor_put_int(&w, -1);
    sz_cbor_put_map(&w, 0);
    sz_cbor_put_int(&w, -300);
    sz_cbor_put_nint(&w, UINT64_MAX);
    sz_cbor_put_text(&w, "a");
    sz_cbor_put_bstr(&w, "0123456789012345678901234567890", 31);
    sz_cbor_put_text(&w, "aa");
    sz_cbor_put_tstr(&w, "", 0);
    return sz_cbor_written(&w);
}

static unsigned truncations_and_overflows(void)
{
    uint8_t whole[256];
    const size_t length = sample(whole, sizeof whole);
    CHECK(length > 100 && sz_cbor_check(SZ_BYTES(whole, length)) == SZ_OK);
    for (size_t cut = 0; cut < length; cut++) {
        CHECK(check_copy(whole, cut) == SZ_TRUNCATED);
        uint8_t *const small = malloc(cut > 0 ? cut : 1);
        CHECK(small != NULL && sample(small, cut) == 0);
        free(small);
    }
    whole[length] = 0;
    CHECK(check_copy(whole, length + 1) == SZ_TRAILING_BYTES);
    return (unsigned)(2 * length);
}

static uint32_t state = 1;

static uint32_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* Altered and invented input: no sanitizer stops, and whatever is accepted is deterministic: it is rewritten
 * the same. */
static unsigned altered(unsigned rounds, unsigned *accepted)
{
    uint8_t whole[256], out[512];
    const size_t length = sample(whole, sizeof whole);
    for (unsigned i = 0; i < rounds; i++) {
        const size_t size = i % 2 == 0 ? length : next_random() % 24;
        uint8_t *const bytes = trust_copy(whole, size);
        for (unsigned changes = 0; changes < (i % 2 == 0 ? 1 + next_random() % 3 : size); changes++) {
            bytes[i % 2 == 0 ? next_random() % size : changes] = (uint8_t)next_random();
        }
        if (sz_cbor_check(SZ_BYTES(bytes, size)) == SZ_OK) {
            struct sz_cbor_reader r = sz_cbor_reader(SZ_BYTES(bytes, size));
            struct sz_cbor_writer w = sz_cbor_writer(out, sizeof out);
            trust_cbor_rewrite(&r, &w);
            CHECK(sz_cbor_done(&r) == SZ_OK && trust_same(SZ_BYTES(out, w.length), SZ_BYTES(bytes, size)));
            (*accepted)++;
        }
        free(bytes);
    }
    return rounds;
}

/* Every half is its own shortest form; no single or double that is returned as longer has a half's value,
 * because the same function gave every half's value back as that half. */
static unsigned floats(void)
{
    uint64_t bits;
    for (uint32_t half = 0; half < 0x10000; half++) {
        const double value = sz_float_value(half, 2);
        const size_t size = sz_float_shortest(value, &bits);
        CHECK(size == 2 && bits == (value == value ? half : 0x7e00));
    }
    for (unsigned i = 0; i < 200000; i++) {
        const uint64_t random = (uint64_t)next_random() << 32 | next_random();
        const size_t from = i % 2 == 0 ? 4 : 8;
        const double value = sz_float_value(from == 4 ? random >> 32 : random, from);
        const size_t size = sz_float_shortest(value, &bits);
        const double back = sz_float_value(bits, size);
        CHECK(size <= from && (memcmp(&back, &value, sizeof value) == 0 || value != value));
        CHECK(size != 8 || (double)(float)value != value);
    }
    return 0x10000 + 200000;
}

static unsigned getters(void)
{
    static const uint8_t least[] = {0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t below[] = {0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t above[] = {0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t map[] = {0xa2, 0x01, 0x18, 0x64, 0x05, 0xf6};
    struct sz_cbor_reader r = sz_cbor_reader(SZ_BYTES(least, sizeof least));
    trust_test_now = "getters";
    CHECK(sz_cbor_int(&r) == INT64_MIN && sz_cbor_done(&r) == SZ_OK);
    r = sz_cbor_reader(SZ_BYTES(below, sizeof below));
    CHECK(sz_cbor_int(&r) == 0 && sz_cbor_error(&r) == SZ_MALFORMED);
    r = sz_cbor_reader(SZ_BYTES(above, sizeof above));
    CHECK(sz_cbor_int(&r) == 0 && sz_cbor_error(&r) == SZ_MALFORMED);
    r = sz_cbor_reader(SZ_BYTES(above, sizeof above));
    CHECK(sz_cbor_uint(&r) == UINT64_C(1) << 63 && sz_cbor_done(&r) == SZ_OK);

    /* Optional members, and null where something else may be. */
    r = sz_cbor_reader(SZ_BYTES(map, sizeof map));
    sz_cbor_map_of(&r, 2);
    sz_cbor_key(&r, 1);
    CHECK(!sz_cbor_null_or_not(&r) && sz_cbor_uint(&r) == 100);
    CHECK(!sz_cbor_optional_key(&r, 4) && sz_cbor_optional_key(&r, 5));
    CHECK(sz_cbor_null_or_not(&r) && sz_cbor_done(&r) == SZ_OK);

    /* The first trouble sticks, and nothing moves after it. */
    r = sz_cbor_reader(SZ_BYTES(map, sizeof map));
    CHECK(sz_cbor_uint(&r) == 0 && sz_cbor_error(&r) == SZ_MALFORMED && sz_cbor_offset(&r) == 0);
    CHECK(sz_cbor_map(&r) == 0 && sz_cbor_offset(&r) == 0 && !sz_cbor_ok(&r));
    CHECK(sz_cbor_bstr_of(&r, 0) == NULL && sz_cbor_tstr(&r).at == NULL && sz_cbor_skip(&r).at == NULL);
    sz_cbor_fail(&r, SZ_TRUNCATED);
    CHECK(sz_cbor_done(&r) == SZ_MALFORMED);
    r = sz_cbor_reader(SZ_BYTES(map, sizeof map));
    CHECK(sz_cbor_map(&r) == 2 && sz_cbor_done(&r) == SZ_TRAILING_BYTES);
    return 8;
}

int main(void)
{
    unsigned accepted = 0;
    const unsigned listed = malformed(), cut = truncations_and_overflows(), typed = getters();
    const unsigned changed = altered(200000, &accepted), numbers = floats();
    printf("CBOR: %u listed items, %u truncations and overflows, %u getters, %u altered inputs (%u accepted "
           "and the same when "
           "rewritten), %u floats\n",
           listed, cut, typed, changed, accepted, numbers);
    CHECK(listed > 80 && accepted > 100);
    return 0;
}
