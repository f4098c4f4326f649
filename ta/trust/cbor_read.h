/* Pull parser for CBOR in the core deterministic encoding (RFC 8949, section 4.2.1).
 *
 * Every getter checks that the next item has the type asked for, in its shortest form, and moves behind it.
 * The first trouble sticks: from then on every getter returns zero and nothing moves, so a caller reads a
 * whole structure and asks once, with sz_cbor_done() or sz_cbor_error(). Refused everywhere: indefinite
 * lengths, longer-than-needed forms, trailing bytes; map keys out of order or twice there by sz_cbor_check().
 * Views point into the input.
 */
#ifndef SZ_CBOR_READ_H
#define SZ_CBOR_READ_H

#include "sz_codes.h"
#include "trust/bytes.h"
#include <stdbool.h>

struct sz_cbor_reader {
    struct sz_bytes bytes;
    size_t at;
    enum sz_code error; /* SZ_OK, SZ_MALFORMED, SZ_TRUNCATED, SZ_DUPLICATE_KEY, SZ_TRAILING_BYTES */
};

/* The head of an item: major type 0..7 and its argument (for major 7: the additional information's value). */
struct sz_cbor_head {
    uint8_t major;
    uint8_t info; /* additional information, 0..27 */
    uint64_t argument;
};

enum { SZ_CBOR_MAX_DEPTH = 16 };

struct sz_cbor_reader sz_cbor_reader(struct sz_bytes bytes);

/* Checks that `bytes` is exactly one deterministic item, whatever it is (map keys are integers or text):
 * SZ_OK, SZ_MALFORMED, SZ_TRUNCATED, SZ_DUPLICATE_KEY or SZ_TRAILING_BYTES. Every message goes through this
 * before any of it is interpreted. */
enum sz_code sz_cbor_check(struct sz_bytes bytes);

enum sz_code sz_cbor_error(const struct sz_cbor_reader *r);

/* Whether nothing went wrong so far, and how many bytes were read. */
bool sz_cbor_ok(const struct sz_cbor_reader *r);
size_t sz_cbor_offset(const struct sz_cbor_reader *r);

/* SZ_OK if nothing went wrong and every byte was read. */
enum sz_code sz_cbor_done(struct sz_cbor_reader *r);

/* Looks at the next item without moving. False at the end of the input or after an error. */
bool sz_cbor_peek(const struct sz_cbor_reader *r, struct sz_cbor_head *head);

uint64_t sz_cbor_uint(struct sz_cbor_reader *r);
int64_t sz_cbor_int(struct sz_cbor_reader *r);
struct sz_bytes sz_cbor_bstr(struct sz_cbor_reader *r);
struct sz_bytes sz_cbor_tstr(struct sz_cbor_reader *r); /* well-formed UTF-8 (RFC 3629) */
uint64_t sz_cbor_nint(struct sz_cbor_reader *r);        /* the argument n of the negative integer -1 - n */
void sz_cbor_simple(
    struct sz_cbor_reader *r); /* true, false or null: no other simple value is in the profile */
bool sz_cbor_bool(struct sz_cbor_reader *r);
void sz_cbor_null(struct sz_cbor_reader *r);
bool sz_cbor_null_or_not(
    struct sz_cbor_reader *r); /* reads null and returns true, or leaves another item alone */
double
sz_cbor_float(struct sz_cbor_reader *r); /* in its shortest form: half, single or double; NaN 0x7e00 alone */
uint64_t sz_cbor_tag(struct sz_cbor_reader *r);

/* Number of items, or of key/value pairs. Bounded by the bytes that are left. */
size_t sz_cbor_array(struct sz_cbor_reader *r);
size_t sz_cbor_map(struct sz_cbor_reader *r);

/* Array or map of exactly this size, byte string of exactly this length, or an error. */
void sz_cbor_array_of(struct sz_cbor_reader *r, size_t count);
void sz_cbor_map_of(struct sz_cbor_reader *r, size_t count);
const uint8_t *sz_cbor_bstr_of(struct sz_cbor_reader *r, size_t length); /* NULL on error */

/* The integer key that must come next. */
void sz_cbor_key(struct sz_cbor_reader *r, int64_t key);

/* True, and moves behind it, if the next item is this key; for optional members. */
bool sz_cbor_optional_key(struct sz_cbor_reader *r, int64_t key);

/* Moves over one whole item of any kind, checking all of it (order and uniqueness of map keys included).
 * Returns its bytes. No recursion: at most SZ_CBOR_MAX_DEPTH levels, deeper is SZ_MALFORMED. */
struct sz_bytes sz_cbor_skip(struct sz_cbor_reader *r);

/* Marks the structure as not of the form that the caller expects. */
void sz_cbor_fail(struct sz_cbor_reader *r, enum sz_code code);

#endif
