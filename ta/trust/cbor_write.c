#include "trust/cbor_write.h"

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

/* The half with this value, if there is one (RFC 8949, section 4.2.2: preferred serialisation). */
static bool as_half(uint32_t bits, uint16_t *half)
{
    const uint32_t sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 0xff, mantissa = bits & 0x7fffff;
    if (exponent == 0xff) {
        *half = (uint16_t)(sign | (mantissa != 0 ? 0x7e00 : 0x7c00)); /* one NaN only */
        return true;
    }
    if (exponent == 0 && mantissa == 0) {
        *half = (uint16_t)sign;
        return true;
    }
    if (exponent >= 113 && exponent <= 142 && (mantissa & 0x1fff) == 0) {
        *half = (uint16_t)(sign | (exponent - 112) << 10 | mantissa >> 13);
        return true;
    }
    if (exponent >= 103 && exponent < 113) {
        const uint32_t dropped = 13 + (113 - exponent), whole = mantissa | 0x800000;
        if ((whole & ((1u << dropped) - 1)) == 0) {
            *half = (uint16_t)(sign | whole >> dropped);
            return true;
        }
    }
    return false;
}

void sz_cbor_put_float(struct sz_cbor_writer *w, float value)
{
    uint32_t bits;
    uint16_t half;
    memcpy(&bits, &value, sizeof bits);
    if (as_half(bits, &half)) {
        const uint8_t bytes[3] = {0xf9, (uint8_t)(half >> 8), (uint8_t)half};
        sz_cbor_put_raw(w, bytes, sizeof bytes);
    } else {
        const uint8_t bytes[5] = {0xfa, (uint8_t)(bits >> 24), (uint8_t)(bits >> 16), (uint8_t)(bits >> 8),
                                  (uint8_t)bits};
        sz_cbor_put_raw(w, bytes, sizeof bytes);
    }
}
