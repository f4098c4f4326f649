/* Maximum and average over a window: a few vectors of channels stay in registers while the window passes. */
#include "plain.h"

#if defined(__x86_64__)
#include "../bounds_f32.h"
#include "../reference/kernels.h"
#include "../requant.h"
#include "../taps.h"
#include "lanes_avx2.h"

/* NaN stays NaN, as in the reference; lanes_avx2.h's clamp() makes it low. */
LANES_INLINE lanes clamp_numbers(lanes v, struct sz_range range)
{
    return _mm256_min_ps(splat(range.high), _mm256_max_ps(splat(range.low), v));
}

/* `vectors` of channels, the last one only where the mask is set unless it is whole. */
LANES_INLINE void pool_f32(const struct sz_taps *taps, float *y, size_t c, size_t vectors, bool is_whole,
                           lanes_mask mask, struct sz_range range, bool is_max)
{
    lanes found[4];
    foreach (v, vectors) {
        const float *first = (const float *)(const void *)taps->first + c + v * LANES;
        found[v] = is_max ? is_whole ? load(first) : load_some(first, mask) : splat(0.0f);
    }
    for (size_t i = 0; i < (size_t)taps->rows; i++) {
        const uint8_t *tap = taps->first + i * taps->row;
        for (size_t j = 0; j < (size_t)taps->columns; j++, tap += taps->column) {
            foreach (v, vectors) {
                const float *x = (const float *)(const void *)tap + c + v * LANES;
                lanes value = is_whole ? load(x) : load_some(x, mask);
                found[v] = is_max ? _mm256_max_ps(value, found[v]) : _mm256_add_ps(found[v], value);
            }
        }
    }
    lanes count = splat((float)(taps->rows * taps->columns));
    foreach (v, vectors) {
        lanes value = clamp_numbers(is_max ? found[v] : _mm256_div_ps(found[v], count), range);
        if (is_whole)
            store(y + c + v * LANES, value);
        else
            store_some(y + c + v * LANES, mask, value);
    }
}

LANES_INLINE void pool_channels_f32(const struct sz_call *call, const struct sz_taps *taps, size_t channels,
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

LANES_TARGET static void max_f32(const struct sz_call *call, const struct sz_taps *taps, size_t channels,
                                 void *y)
{
    pool_channels_f32(call, taps, channels, y, true);
}

LANES_TARGET static void average_f32(const struct sz_call *call, const struct sz_taps *taps, size_t channels,
                                     void *y)
{
    pool_channels_f32(call, taps, channels, y, false);
}

/* The maximum of 32 channels over the window, inside the bounds. */
LANES_INLINE void max_32(const struct sz_taps *taps, uint8_t *y, size_t c, struct sz_bounds bounds)
{
    __m256i found = _mm256_set1_epi8((char)bounds.low);
    for (size_t i = 0; i < (size_t)taps->rows; i++) {
        const uint8_t *tap = taps->first + i * taps->row + c;
        for (size_t j = 0; j < (size_t)taps->columns; j++, tap += taps->column)
            found = _mm256_max_epi8(found, _mm256_loadu_si256((const __m256i *)(const void *)tap));
    }
    found = _mm256_min_epi8(found, _mm256_set1_epi8((char)bounds.high));
    _mm256_storeu_si256((__m256i *)(void *)(y + c), found);
}

/* 32 channels or more. The last vector may overlap the one before: y is not x. */
LANES_TARGET static void max_i8(const struct sz_call *call, const struct sz_taps *taps, size_t channels,
                                void *y)
{
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    for (size_t c = 0; c < channels; c += 32)
        max_32(taps, y, c + 32 <= channels ? c : channels - 32, bounds);
}

void sz_x86_max_pool_f32(const struct sz_call *call)
{
    sz_pool(call, sizeof(float), max_f32);
}

void sz_x86_average_pool_f32(const struct sz_call *call)
{
    sz_pool(call, sizeof(float), average_f32);
}

void sz_x86_max_pool_i8(const struct sz_call *call)
{
    if (call->out->dims[3] < 32)
        sz_ref_max_pool_i8(call);
    else
        sz_pool(call, 1, max_i8);
}
#endif
