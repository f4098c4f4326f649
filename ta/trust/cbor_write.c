#include "trust/cbor_write.h"
#include "trust/cbor_float.h"

#include <string.h>

struct sz_cbor_writer sz_cbor_writer(uint8_t *buffer, size_t capacity)
{
    return (struct sz_cbor_writer){buffer, capacity, 0, false};
}

size_t sz_cbor_written(const struct sz_cbor_writer *w)
{
    return w->overflow ? 0 : w->length;
}

void sz_cbor_put_raw(struct sz_cbor_writer *w, const void *bytes, size_t length)
{
    if (w->overflow || length > w->capacity - w->length) {
        w->overflow = true;
        return;
    }
    if (length > 0) {
        memcpy(w->at + w->length, bytes, length);
        w->length += length;
    }
}

uint8_t *sz_cbor_put_space(struct sz_cbor_writer *w, size_t length)
{
    uint8_t *at;
    if (w->overflow || length > w->capacity - w->length) {
        w->overflow = true;
        return NULL;
    }
    at = w->at + w->length;
    w->length += length;
    return at;
}

size_t sz_cbor_head_size(uint64_t argument)
{
    return argument < 24 ? 1 : argument < 0x100 ? 2 : argument < 0x10000 ? 3 : argument < 0x100000000 ? 5 : 9;
}

static void head(struct sz_cbor_writer *w, unsigned major, uint64_t argument)
{
    const size_t size = sz_cbor_head_size(argument);
    uint8_t bytes[9];
    unsigned info = (unsigned)argument & 31;
    if (size > 1) {
        info = size == 2 ? 24 : size == 3 ? 25 : size == 5 ? 26 : 27;
    }
    bytes[0] = (uint8_t)(major << 5 | info);
    for (size_t i = 1; i < size; i++) {
        bytes[i] = (uint8_t)(argument >> 8 * (size - 1 - i));
    }
    sz_cbor_put_raw(w, bytes, size);
}

void sz_cbor_put_uint(struct sz_cbor_writer *w, uint64_t value)
{
    head(w, 0, value);
}

void sz_cbor_put_nint(struct sz_cbor_writer *w, uint64_t argument)
{
    head(w, 1, argument);
}

void sz_cbor_put_int(struct sz_cbor_writer *w, int64_t value)
{
    if (value < 0) {
        head(w, 1, (uint64_t)(-1 - value));
    } else {
        head(w, 0, (uint64_t)value);
    }
}

void sz_cbor_put_bstr_head(struct sz_cbor_writer *w, size_t length)
{
    head(w, 2, length);
}

void sz_cbor_put_bstr(struct sz_cbor_writer *w, const void *bytes, size_t length)
{
    head(w, 2, length);
    sz_cbor_put_raw(w, bytes, length);
}

void sz_cbor_put_tstr(struct sz_cbor_writer *w, const void *text, size_t length)
{
    head(w, 3, length);
    sz_cbor_put_raw(w, text, length);
}

void sz_cbor_put_text(struct sz_cbor_writer *w, const char *text)
{
    sz_cbor_put_tstr(w, text, strlen(text));
}

void sz_cbor_put_bool(struct sz_cbor_writer *w, bool value)
{
    head(w, 7, value ? 21 : 20);
}

void sz_cbor_put_null(struct sz_cbor_writer *w)
{
    head(w, 7, 22);
}

void sz_cbor_put_tag(struct sz_cbor_writer *w, uint64_t tag)
{
    head(w, 6, tag);
}

void sz_cbor_put_array(struct sz_cbor_writer *w, size_t count)
{
    head(w, 4, count);
}

void sz_cbor_put_map(struct sz_cbor_writer *w, size_t pairs)
{
    head(w, 5, pairs);
}

void sz_cbor_put_float(struct sz_cbor_writer *w, double value)
{
    uint64_t bits;
    const size_t size = sz_float_shortest(value, &bits);
    uint8_t bytes[9];
    bytes[0] = (uint8_t)(7u << 5 | (size == 2 ? 25 : size == 4 ? 26 : 27));
    for (size_t i = 0; i < size; i++) {
        bytes[1 + i] = (uint8_t)(bits >> 8 * (size - 1 - i));
    }
    sz_cbor_put_raw(w, bytes, 1 + size);
}
