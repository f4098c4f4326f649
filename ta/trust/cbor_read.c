#include "trust/cbor_read.h"
#include "trust/cbor_float.h"

#include <string.h>

enum { UINT = 0, NINT = 1, BSTR = 2, TSTR = 3, ARRAY = 4, MAP = 5, TAG = 6, SIMPLE = 7 };

struct sz_cbor_reader sz_cbor_reader(struct sz_bytes bytes)
{
    return (struct sz_cbor_reader){bytes, 0, SZ_OK};
}

void sz_cbor_fail(struct sz_cbor_reader *r, enum sz_code code)
{
    if (r->error == SZ_OK) {
        r->error = code;
    }
}

enum sz_code sz_cbor_error(const struct sz_cbor_reader *r)
{
    return r->error;
}

bool sz_cbor_ok(const struct sz_cbor_reader *r)
{
    return r->error == SZ_OK;
}

size_t sz_cbor_offset(const struct sz_cbor_reader *r)
{
    return r->at;
}

enum sz_code sz_cbor_done(struct sz_cbor_reader *r)
{
    if (r->error == SZ_OK && r->at != r->bytes.length) {
        r->error = SZ_TRAILING_BYTES;
    }
    return r->error;
}

/* Reads a head at `at`; *size is what it takes. The one place where lengths meet the end of the input. */
static enum sz_code head_at(struct sz_bytes bytes, size_t at, struct sz_cbor_head *head, size_t *size)
{
    static const uint64_t least[4] = {24, 0x100, 0x10000, 0x100000000};
    const size_t left = bytes.length - at;
    if (left == 0) {
        return SZ_TRUNCATED;
    }
    head->major = bytes.at[at] >> 5;
    head->info = bytes.at[at] & 31;
    *size = 1;
    if (head->info < 24) {
        head->argument = head->info;
        return SZ_OK;
    }
    if (head->info > 27) {
        return SZ_MALFORMED; /* reserved, or indefinite length */
    }
    const size_t width = (size_t)1 << (head->info - 24);
    if (left - 1 < width) {
        return SZ_TRUNCATED;
    }
    head->argument = 0;
    for (size_t i = 0; i < width; i++) {
        head->argument = head->argument << 8 | bytes.at[at + 1 + i];
    }
    *size = 1 + width;
    if (head->major == SIMPLE) {
        return head->info == 24 && head->argument < 32 ? SZ_MALFORMED : SZ_OK;
    }
    return head->argument < least[head->info - 24] ? SZ_MALFORMED : SZ_OK;
}

bool sz_cbor_peek(const struct sz_cbor_reader *r, struct sz_cbor_head *head)
{
    size_t size;
    return r->error == SZ_OK && head_at(r->bytes, r->at, head, &size) == SZ_OK;
}

/* Takes the next head if it has this major type. */
static bool take(struct sz_cbor_reader *r, uint8_t major, struct sz_cbor_head *head)
{
    size_t size = 0;
    if (r->error != SZ_OK) {
        return false;
    }
    r->error = head_at(r->bytes, r->at, head, &size);
    if (r->error == SZ_OK && head->major != major) {
        r->error = SZ_MALFORMED;
    }
    if (r->error != SZ_OK) {
        return false;
    }
    r->at += size;
    return true;
}

uint64_t sz_cbor_uint(struct sz_cbor_reader *r)
{
    struct sz_cbor_head head;
    return take(r, UINT, &head) ? head.argument : 0;
}

int64_t sz_cbor_int(struct sz_cbor_reader *r)
{
    struct sz_cbor_head head;
    if (!sz_cbor_peek(r, &head) || head.major != NINT) {
        const uint64_t value = sz_cbor_uint(r);
        if (value > INT64_MAX) {
            sz_cbor_fail(r, SZ_MALFORMED);
            return 0;
        }
        return (int64_t)value;
    }
    if (!take(r, NINT, &head) || head.argument > INT64_MAX) {
        sz_cbor_fail(r, SZ_MALFORMED);
        return 0;
    }
    return -1 - (int64_t)head.argument;
}

uint64_t sz_cbor_nint(struct sz_cbor_reader *r)
{
    struct sz_cbor_head head;
    return take(r, NINT, &head) ? head.argument : 0;
}

void sz_cbor_simple(struct sz_cbor_reader *r)
{
    struct sz_cbor_head head;
    if (take(r, SIMPLE, &head) && (head.info < 20 || head.info > 22)) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool is_utf8(struct sz_bytes text)
{
    size_t i = 0;
    while (i < text.length) {
        const uint8_t lead = text.at[i];
        size_t more;
        uint32_t point, least;
        if (lead < 0x80) {
            i++;
            continue;
        }
        if (lead >= 0xc2 && lead < 0xe0) {
            more = 1, point = lead & 0x1f, least = 0x80;
        } else if (lead >= 0xe0 && lead < 0xf0) {
            more = 2, point = lead & 0x0f, least = 0x800;
        } else if (lead >= 0xf0 && lead < 0xf5) {
            more = 3, point = lead & 0x07, least = 0x10000;
        } else {
            return false;
        }
        if (text.length - i <= more) {
            return false;
        }
        for (size_t k = 1; k <= more; k++) {
            if ((text.at[i + k] & 0xc0) != 0x80) {
                return false;
            }
            point = point << 6 | (text.at[i + k] & 0x3fu);
        }
        if (point < least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

static struct sz_bytes string(struct sz_cbor_reader *r, uint8_t major)
{
    struct sz_cbor_head head;
    struct sz_bytes text = {NULL, 0};
    if (!take(r, major, &head)) {
        return text;
    }
    if (head.argument > r->bytes.length - r->at) {
        sz_cbor_fail(r, SZ_TRUNCATED);
        return text;
    }
    text = SZ_BYTES(r->bytes.at + r->at, (size_t)head.argument);
    r->at += text.length;
    if (major == TSTR && !is_utf8(text)) {
        sz_cbor_fail(r, SZ_MALFORMED);
        return SZ_BYTES(NULL, 0);
    }
    return text;
}

struct sz_bytes sz_cbor_bstr(struct sz_cbor_reader *r)
{
    return string(r, BSTR);
}

struct sz_bytes sz_cbor_tstr(struct sz_cbor_reader *r)
{
    return string(r, TSTR);
}

const uint8_t *sz_cbor_bstr_of(struct sz_cbor_reader *r, size_t length)
{
    const struct sz_bytes text = sz_cbor_bstr(r);
    if (r->error == SZ_OK && text.length != length) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
    return r->error == SZ_OK ? text.at : NULL;
}

bool sz_cbor_bool(struct sz_cbor_reader *r)
{
    struct sz_cbor_head head;
    if (!take(r, SIMPLE, &head)) {
        return false;
    }
    if (head.info != 20 && head.info != 21) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
    return head.info == 21;
}

void sz_cbor_null(struct sz_cbor_reader *r)
{
    struct sz_cbor_head head;
    if (take(r, SIMPLE, &head) && head.info != 22) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
}

bool sz_cbor_null_or_not(struct sz_cbor_reader *r)
{
    struct sz_cbor_head head;
    if (!sz_cbor_peek(r, &head) || head.major != SIMPLE || head.info != 22) {
        return false;
    }
    sz_cbor_null(r);
    return true;
}

double sz_cbor_float(struct sz_cbor_reader *r)
{
    struct sz_cbor_head head;
    uint64_t shortest;
    double value;
    size_t size;
    if (!take(r, SIMPLE, &head)) {
        return 0;
    }
    if (head.info < 25) {
        sz_cbor_fail(r, SZ_MALFORMED);
        return 0;
    }
    size = (size_t)1 << (head.info - 24);
    value = sz_float_value(head.argument, size);
    /* Comparing bits as well refuses every NaN but one: others could carry hidden bits. */
    if (sz_float_shortest(value, &shortest) != size || shortest != head.argument) {
        sz_cbor_fail(r, SZ_MALFORMED);
        return 0;
    }
    return value;
}

uint64_t sz_cbor_tag(struct sz_cbor_reader *r)
{
    struct sz_cbor_head head;
    return take(r, TAG, &head) ? head.argument : 0;
}

/* A count of items that cannot be there is refused at once: each takes a byte at least. */
static size_t container(struct sz_cbor_reader *r, uint8_t major, uint64_t bytes_each)
{
    struct sz_cbor_head head;
    if (!take(r, major, &head)) {
        return 0;
    }
    if (head.argument > (r->bytes.length - r->at) / bytes_each) {
        sz_cbor_fail(r, SZ_TRUNCATED);
        return 0;
    }
    return (size_t)head.argument;
}

size_t sz_cbor_array(struct sz_cbor_reader *r)
{
    return container(r, ARRAY, 1);
}

size_t sz_cbor_map(struct sz_cbor_reader *r)
{
    return container(r, MAP, 2);
}

void sz_cbor_array_of(struct sz_cbor_reader *r, size_t count)
{
    if (sz_cbor_array(r) != count) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
}

void sz_cbor_map_of(struct sz_cbor_reader *r, size_t count)
{
    if (sz_cbor_map(r) != count) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
}
