/* Maximum and average over a window: a few vectors of channels stay in registers while the window passes. */
#include "plain.h"

#if defined(__x86_64__)
#include "../bounds_f32.h"
#include "../requant.h"
#include "../window.h"
#include "lanes_avx2.h"

/* The part of a window that is inside the picture. */
struct taps {
    const uint8_t *at;
    size_t row, column; /* bytes from tap to tap */
    size_t h, w;
};

typedef void (*pool_at)(const struct sz_call *call, const struct taps *taps, size_t channels, void *y);

static void for_each_window(const struct sz_call *call, size_t size, pool_at pool)
{
    const int32_t *ints = call->op->ints;
    const uint32_t *in = call->in[0].record->dims;
    const uint32_t *out = call->out->dims;
    struct taps taps = {.column = in[3] * size, .row = in[2] * in[3] * size};
    uint8_t *y = call->y;
    for (uint32_t n = 0; n < out[0]; n++) {
        const uint8_t *picture = (const uint8_t *)call->in[0].data + n * in[1] * taps.row;
        for (uint32_t i = 0; i < out[1]; i++) {
            struct sz_span h = sz_span_at((int32_t)i, ints[SZ_STRIDE_H], ints[SZ_PAD_TOP], 1,
                                          ints[SZ_WINDOW_H], (int32_t)in[1]);
            const uint8_t *line = picture + (size_t)(h.origin + h.first) * taps.row;
            taps.h = (size_t)(h.end - h.first);
            for (uint32_t j = 0; j < out[2]; j++, y += out[3] * size) {
                struct sz_span w = sz_span_at((int32_t)j, ints[SZ_STRIDE_W], ints[SZ_PAD_LEFT], 1,
                                              ints[SZ_WINDOW_W], (int32_t)in[2]);
                taps.at = line + (size_t)(w.origin + w.first) * taps.column;
                taps.w = (size_t)(w.end - w.first);
                pool(call, &taps, out[3], y);
            }
        }
    }
}

/* NaN stays NaN, as in the reference; lanes_avx2.h's clamp() makes it low. */
LANES_INLINE lanes clamp_numbers(lanes v, struct sz_range range)
{
    return _mm256_min_ps(splat(range.high), _mm256_max_ps(splat(range.low), v));
}

/* `vectors` of channels, the last one only where the mask is set unless it is whole. */
LANES_INLINE void pool_f32(const struct taps *taps, float *y, size_t c, size_t vectors, bool is_whole,
                           lanes_mask mask, struct sz_range range, bool is_max)
{
    lanes found[4];
    foreach (v, vectors) {
        const float *first = (const float *)(const void *)taps->at + c + v * LANES;
        found[v] = is_max ? is_whole ? load(first) : load_some(first, mask) : splat(0.0f);
    }
    for (size_t i = 0; i < taps->h; i++) {
        const uint8_t *tap = taps->at + i * taps->row;
        for (size_t j = 0; j < taps->w; j++, tap += taps->column) {
            foreach (v, vectors) {
                const float *x = (const float *)(const void *)tap + c + v * LANES;
                lanes value = is_whole ? load(x) : load_some(x, mask);
                found[v] = is_max ? _mm256_max_ps(value, found[v]) : _mm256_add_ps(found[v], value);
            }
        }
    }
    lanes count = splat((float)(taps->h * taps->w));
    foreach (v, vectors) {
        lanes value = clamp_numbers(is_max ? found[v] : _mm256_div_ps(found[v], count), range);
        if (is_whole)
            store(y + c + v * LANES, value);
        else
            store_some(y + c + v * LANES, mask, value);
    }
}

LANES_INLINE void pool_channels_f32(const struct sz_call *call, const struct taps *taps, size_t channels,
                                    float *y, bool is_max)
{
    struct sz_range range = sz_range_of(call->op->activation);
    lanes_mask mask = first_lanes(channels % LANES);
    size_t c = 0;
    for (; c + 4 * LANES <= channels; c += 4 * LANES)
        pool_f32(taps, y, c, 4, true, mask, range, is_max);
    for (; c + LANES <= channels; c += LANES)
        pool_f32(taps, y, c, 1, true, mask, range, is_max);
    if (c < channels)
        pool_f32(taps, y, c, 1, false, mask, range, is_max);
}

LANES_TARGET static void max_f32(const struct sz_call *call, const struct taps *taps, size_t channels,
                                 void *y)
{
    pool_channels_f32(call, taps, channels, y, true);
}

LANES_TARGET static void average_f32(const struct sz_call *call, const struct taps *taps, size_t channels,
                                     void *y)
{
    pool_channels_f32(call, taps, channels, y, false);
}

/* The maximum of 32 channels over the window, inside the bounds. */
LANES_INLINE void max_32(const struct taps *taps, uint8_t *y, size_t c, struct sz_bounds bounds)
{
    __m256i found = _mm256_set1_epi8((char)bounds.low);
    for (size_t i = 0; i < taps->h; i++) {
        const uint8_t *tap = taps->at + i * taps->row + c;
        for (size_t j = 0; j < taps->w; j++, tap += taps->column)
            found = _mm256_max_epi8(found, _mm256_loadu_si256((const __m256i *)(const void *)tap));
    }
    found = _mm256_min_epi8(found, _mm256_set1_epi8((char)bounds.high));
    _mm256_storeu_si256((__m256i *)(void *)(y + c), found);
}

LANES_INLINE void max_16(const struct taps *taps, uint8_t *y, size_t c, struct sz_bounds bounds)
{
    __m128i found = _mm_set1_epi8((char)bounds.low);
    for (size_t i = 0; i < taps->h; i++) {
        const uint8_t *tap = taps->at + i * taps->row + c;
        for (size_t j = 0; j < taps->w; j++, tap += taps->column)
            found = _mm_max_epi8(found, _mm_loadu_si128((const __m128i *)(const void *)tap));
    }
    found = _mm_min_epi8(found, _mm_set1_epi8((char)bounds.high));
    _mm_storeu_si128((__m128i *)(void *)(y + c), found);
}

static void max_1(const struct taps *taps, uint8_t *y, size_t c, struct sz_bounds bounds)
{
    int32_t found = bounds.low;
    for (size_t i = 0; i < taps->h; i++) {
        for (size_t j = 0; j < taps->w; j++) {
            int32_t value = (int8_t)taps->at[i * taps->row + j * taps->column + c];
            found = value > found ? value : found;
        }
    }
    y[c] = (uint8_t)(found > bounds.high ? bounds.high : found);
}

/* The last vector may overlap the one before: y is not x. */
LANES_TARGET static void max_i8(const struct sz_call *call, const struct taps *taps, size_t channels, void *y)
{
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    size_t c = 0;
    for (; c + 32 <= channels; c += 32)
        max_32(taps, y, c, bounds);
    if (c < channels && channels >= 32) {
        max_32(taps, y, channels - 32, bounds);
        return;
    }
    for (; c + 16 <= channels; c += 16)
        max_16(taps, y, c, bounds);
    for (; c < channels; c++)
        max_1(taps, y, c, bounds);
}

void sz_x86_max_pool_f32(const struct sz_call *call)
{
    for_each_window(call, sizeof(float), max_f32);
}

void sz_x86_average_pool_f32(const struct sz_call *call)
{
    for_each_window(call, sizeof(float), average_f32);
}

void sz_x86_max_pool_i8(const struct sz_call *call)
{
    for_each_window(call, 1, max_i8);
}
#endif
