#include "gather_rows.h"
#include "window.h"

#include <string.h>

#if defined(__aarch64__)
#include "neon/load.h"
#endif

#define CHUNK 16 /* bytes of one copy */

#if defined(__aarch64__)
/* TAs are compiled with -mstrict-align, which makes calls of short memcpys. */
static inline void copy_chunk(uint8_t *to, const uint8_t *from)
{
    sz_neon_store_16(to, sz_neon_load_16(from));
}
#else
static inline void copy_chunk(uint8_t *to, const uint8_t *from)
{
    __builtin_memcpy(to, from, CHUNK);
}
#endif

/* Copies a short run in whole chunks where reading and writing behind its end stays inside the buffers (what
 * is written too much is written over afterwards). */
static inline void copy_run(uint8_t *to, const uint8_t *from, size_t n, const uint8_t *to_end,
                            const uint8_t *from_end)
{
    size_t whole = (n + CHUNK - 1) / CHUNK * CHUNK;
    if (n > 8 * CHUNK || (size_t)(to_end - to) < whole || (size_t)(from_end - from) < whole) {
        memcpy(to, from, n);
        return;
    }
    for (size_t i = 0; i < n; i += CHUNK)
        copy_chunk(to + i, from + i);
}

/* One row of the window's taps from column x on: taps outside are padding. */
static uint8_t *gather_taps(const struct sz_rows *p, const uint8_t *line, int32_t x, uint8_t *to,
                            const uint8_t *to_end)
{
    int32_t dilation = p->ints[SZ_DILATION_W];
    struct sz_span span = sz_span_at(0, 1, -x, dilation, p->window_w, p->in_w);
    memset(to, p->filler, (size_t)span.first * p->pixel);
    to += (size_t)span.first * p->pixel;
    for (int32_t j = span.first; j < span.end; j++, to += p->pixel)
        copy_run(to, line + (size_t)(x + j * dilation) * p->pixel, p->pixel, to_end, p->x_end);
    memset(to, p->filler, (size_t)(p->window_w - span.end) * p->pixel);
    return to + (size_t)(p->window_w - span.end) * p->pixel;
}

/* The inputs of the output pixel whose window begins at (y, x), filled up with zeros. */
static void gather_row(const struct sz_rows *p, const uint8_t *picture, int32_t y, int32_t x, uint8_t *to,
                       const uint8_t *to_end)
{
    size_t line = (size_t)p->in_w * p->pixel;
    size_t taps = (size_t)p->window_w * p->pixel;
    bool whole = x >= 0 && x + p->window_w <= p->in_w && p->ints[SZ_DILATION_W] == 1;
    uint8_t *end = to + p->depth * p->size;
    for (int32_t i = 0; i < p->window_h; i++, y += p->ints[SZ_DILATION_H]) {
        if (y < 0 || y >= p->in_h)
            memset(to, p->filler, taps);
        else if (whole)
            copy_run(to, picture + (size_t)y * line + (size_t)x * p->pixel, taps, to_end, p->x_end);
        else
            (void)gather_taps(p, picture + (size_t)y * line, x, to, to_end);
        to += taps;
    }
    for (size_t i = 0; i < (p->padded - p->depth) * p->size; i++)
        end[i] = 0;
}

/* Windows that are inside the picture, of `count` output pixels beside each other: nothing to ask, only
 * chunks to copy. What is written behind a window's row is written over by the next one. */
static inline __attribute__((always_inline)) void copy_inside(const struct sz_rows *p, const uint8_t *from,
                                                              size_t count, size_t chunks, uint8_t *to,
                                                              size_t stride)
{
    size_t line = (size_t)p->in_w * p->pixel * (size_t)p->ints[SZ_DILATION_H];
    size_t taps = (size_t)p->window_w * p->pixel;
    size_t step = (size_t)p->ints[SZ_STRIDE_W] * p->pixel;
    size_t inside = p->depth * p->size;
    /* int8: weights are zero there, so that any input will do. A float may be no number. */
    size_t filled = p->size == 1 ? 0 : (p->padded - p->depth) * p->size;
    for (; count > 0; count--, from += step, to += stride) {
        const uint8_t *row = from;
        uint8_t *end = to + inside;
        for (uint8_t *at = to; at < end; at += taps, row += line)
            for (size_t c = 0; c < chunks; c++)
                copy_chunk(at + c * CHUNK, row + c * CHUNK);
        for (size_t i = 0; i < filled; i++)
            end[i] = 0;
    }
}

/* The usual numbers of chunks without a loop over them. */
static void gather_inside(const struct sz_rows *p, const uint8_t *from, size_t count, size_t chunks,
                          uint8_t *to, size_t stride)
{
    if (chunks == 1)
        copy_inside(p, from, count, 1, to, stride);
    else if (chunks == 3)
        copy_inside(p, from, count, 3, to, stride);
    else
        copy_inside(p, from, count, chunks, to, stride);
}

/* How many of `most` output pixels from (y, x) on have their windows inside, with room for whole chunks. */
static size_t count_inside(const struct sz_rows *p, const uint8_t *picture, int32_t y, int32_t x, size_t most,
                           size_t stride, const uint8_t *to, const uint8_t *to_end)
{
    int32_t bottom = y + (p->window_h - 1) * p->ints[SZ_DILATION_H];
    size_t count = 0;
    if (y < 0 || bottom >= p->in_h || x < 0 || x + p->window_w > p->in_w ||
        (p->ints[SZ_DILATION_W] != 1 && p->window_w > 1) || (size_t)p->window_w * p->pixel > 8 * CHUNK)
        return 0;
    count = (size_t)((p->in_w - p->window_w - x) / p->ints[SZ_STRIDE_W]) + 1;
    count = count < most ? count : most;
    /* The last ones of all may have to be copied to the byte. */
    size_t step = (size_t)p->ints[SZ_STRIDE_W] * p->pixel;
    size_t taps = (size_t)p->window_w * p->pixel;
    size_t first = ((size_t)bottom * (size_t)p->in_w + (size_t)x) * p->pixel + taps + CHUNK;
    size_t readable = (size_t)(p->x_end - picture), writable = (size_t)(to_end - to);
    while (count > 0 && (first + (count - 1) * step > readable ||
                         (count - 1) * stride + (size_t)p->window_h * taps + CHUNK > writable))
        count--;
    return count;
}

void sz_gather_rows(const struct sz_rows *p, size_t row, size_t count, size_t stride, uint8_t *to,
                    const uint8_t *to_end)
{
    const uint8_t *picture = p->x + row / p->per_picture * p->picture_bytes;
    size_t chunks = ((size_t)p->window_w * p->pixel + CHUNK - 1) / CHUNK;
    size_t at = row % p->per_picture;
    while (count > 0) {
        size_t column = at % (size_t)p->out_w;
        int32_t y = (int32_t)(at / (size_t)p->out_w) * p->ints[SZ_STRIDE_H] - p->ints[SZ_PAD_TOP];
        int32_t x = (int32_t)column * p->ints[SZ_STRIDE_W] - p->ints[SZ_PAD_LEFT];
        size_t most = (size_t)p->out_w - column;
        most = most < count ? most : count;
        size_t done = count_inside(p, picture, y, x, most, stride, to, to_end);
        if (done > 0) {
            const uint8_t *from = picture + ((size_t)y * (size_t)p->in_w + (size_t)x) * p->pixel;
            gather_inside(p, from, done, chunks, to, stride);
        } else {
            gather_row(p, picture, y, x, to, to_end);
            done = 1;
        }
        to += done * stride;
        count -= done;
        at += done;
        if (at == p->per_picture) {
            picture += p->picture_bytes;
            at = 0;
        }
    }
}
