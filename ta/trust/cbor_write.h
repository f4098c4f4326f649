/* Writes CBOR in the core deterministic encoding into the caller's buffer. Overflow sticks: nothing is
 * written past the end, and sz_cbor_written() then returns 0. The writer does not sort: callers write keys in
 * order (the grammar's). */
#ifndef SZ_CBOR_WRITE_H
#define SZ_CBOR_WRITE_H

#include "trust/bytes.h"
#include <stdbool.h>

struct sz_cbor_writer {
    uint8_t *at;
    size_t capacity;
    size_t length;
    bool overflow;
};

struct sz_cbor_writer sz_cbor_writer(uint8_t *buffer, size_t capacity);

/* Bytes written; 0 if they did not fit. */
size_t sz_cbor_written(const struct sz_cbor_writer *w);

void sz_cbor_put_uint(struct sz_cbor_writer *w, uint64_t value);
void sz_cbor_put_int(struct sz_cbor_writer *w, int64_t value);
void sz_cbor_put_nint(struct sz_cbor_writer *w, uint64_t argument); /* -1 - argument */
void sz_cbor_put_bstr(struct sz_cbor_writer *w, const void *bytes, size_t length);
void sz_cbor_put_tstr(struct sz_cbor_writer *w, const void *text, size_t length);
void sz_cbor_put_text(struct sz_cbor_writer *w, const char *text); /* zero-terminated */
void sz_cbor_put_bool(struct sz_cbor_writer *w, bool value);
void sz_cbor_put_null(struct sz_cbor_writer *w);
void sz_cbor_put_float(struct sz_cbor_writer *w, double value); /* in its shortest form */
void sz_cbor_put_tag(struct sz_cbor_writer *w, uint64_t tag);
void sz_cbor_put_array(struct sz_cbor_writer *w, size_t count);
void sz_cbor_put_map(struct sz_cbor_writer *w, size_t pairs);

/* The head of a byte string whose content the caller puts next (sz_cbor_put_raw or nested items of known
 * size). */
void sz_cbor_put_bstr_head(struct sz_cbor_writer *w, size_t length);
void sz_cbor_put_raw(struct sz_cbor_writer *w, const void *bytes, size_t length);

/* As sz_cbor_put_raw() for bytes that the caller writes there: where to, or NULL if they do not fit. */
uint8_t *sz_cbor_put_space(struct sz_cbor_writer *w, size_t length);

/* Encoded size of a head with this argument: 1, 2, 3, 5 or 9. */
size_t sz_cbor_head_size(uint64_t argument);

#endif
