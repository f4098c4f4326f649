/* int8 depthwise convolution with AVX-512-VNNI: four rows of a window column are one step of vpdpbusd. */
#include "kernels_i8.h"

#if defined(__x86_64__)
#include "requantise_avx512.h"

#define BLOCK SZ_X86_CHANNELS_I8

/* 64 bytes: the four vectors that their sums' lanes are divided among (kernels_i8.h). */
struct four {
    __m512i v[4];
};

/* What 64 bytes are: 64 channels of one pixel, fewer of one pixel, 32 of two pixels, 16 of four. */
enum shape { WHOLE, PART, PAIRS, FOURS };

/* One block of one row. */
struct strip {
    const struct sz_depthwise_job *job;
    size_t first; /* channel */
    __mmask64 mask;
    const uint8_t *block;
};

/* The first channels' lanes once for each pixel. */
SZ_VNNI_INLINE __m512i repeated(__m512i lanes, enum shape shape)
{
    if (shape == PAIRS)
        return _mm512_shuffle_i32x4(lanes, lanes, 0x44);
    return shape == FOURS ? _mm512_shuffle_i32x4(lanes, lanes, 0x00) : lanes;
}

/* From channel order to the order of lanes: a transposition of 128-bit lanes. */
SZ_VNNI_INLINE struct four in_lane_order(const uint8_t *values, enum shape shape)
{
    __m512i a = _mm512_loadu_si512(values), b = _mm512_loadu_si512(values + 64);
    __m512i c = _mm512_loadu_si512(values + 128), d = _mm512_loadu_si512(values + 192);
    __m512i low_ab = _mm512_shuffle_i32x4(a, b, 0x44), high_ab = _mm512_shuffle_i32x4(a, b, 0xee);
    __m512i low_cd = _mm512_shuffle_i32x4(c, d, 0x44), high_cd = _mm512_shuffle_i32x4(c, d, 0xee);
    struct four four = {{
        repeated(_mm512_shuffle_i32x4(low_ab, low_cd, 0x88), shape),
        repeated(_mm512_shuffle_i32x4(low_ab, low_cd, 0xdd), shape),
        repeated(_mm512_shuffle_i32x4(high_ab, high_cd, 0x88), shape),
        repeated(_mm512_shuffle_i32x4(high_ab, high_cd, 0xdd), shape),
    }};
    return four;
}

SZ_VNNI_INLINE __m128i load_16(const uint8_t *x)
{
    return _mm_loadu_si128((const __m128i *)(const void *)x);
}

SZ_VNNI_INLINE __m256i load_32(const uint8_t *x)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)x);
}

/* Pixels `step` bytes apart. */
SZ_VNNI_INLINE __m512i load_pixels(enum shape shape, __mmask64 mask, const uint8_t *x, size_t step)
{
    __m512i bytes;
    if (shape == WHOLE) {
        bytes = _mm512_loadu_si512(x);
    } else if (shape == PART) {
        bytes = _mm512_maskz_loadu_epi8(mask, x);
    } else if (shape == PAIRS) {
        bytes = _mm512_inserti64x4(_mm512_castsi256_si512(load_32(x)), load_32(x + step), 1);
    } else {
        bytes = _mm512_castsi128_si512(load_16(x));
        bytes = _mm512_mask_broadcast_i32x4(bytes, 0x00f0, load_16(x + step));
        bytes = _mm512_mask_broadcast_i32x4(bytes, 0x0f00, load_16(x + 2 * step));
        bytes = _mm512_mask_broadcast_i32x4(bytes, 0xf000, load_16(x + 3 * step));
    }
    return _mm512_xor_si512(bytes, _mm512_set1_epi8((char)0x80));
}

/* Four rows of a window column; what stands for missing ones meets weights of 0. */
SZ_VNNI_INLINE struct four interleaved(__m512i row_0, __m512i row_1, __m512i row_2, __m512i row_3)
{
    __m512i low_01 = _mm512_unpacklo_epi8(row_0, row_1), high_01 = _mm512_unpackhi_epi8(row_0, row_1);
    __m512i low_23 = _mm512_unpacklo_epi8(row_2, row_3), high_23 = _mm512_unpackhi_epi8(row_2, row_3);
    struct four four = {{
        _mm512_unpacklo_epi16(low_01, low_23),
        _mm512_unpackhi_epi16(low_01, low_23),
        _mm512_unpacklo_epi16(high_01, high_23),
        _mm512_unpackhi_epi16(high_01, high_23),
    }};
    return four;
}

SZ_VNNI_INLINE void add_column(struct four *sums, const struct four *x, const struct four *w,
                               const struct four *zero, bool is_plain)
{
    SZ_UNROLL for (size_t v = 0; v < 4; v++)
    {
        sums->v[v] = sz_dot4(sums->v[v], x->v[v], w->v[v]);
        if (!is_plain)
            sums->v[v] = sz_dot4(sums->v[v], x->v[v], zero->v[v]);
    }
}

/* y: of the first pixel; `step` bytes from pixel to pixel. */
SZ_VNNI_INLINE void store(enum shape shape, __mmask64 mask, __m512i bytes, int8_t *y, size_t step)
{
    if (shape == WHOLE) {
        _mm512_storeu_si512(y, bytes);
    } else if (shape == PART) {
        _mm512_mask_storeu_epi8(y, mask, bytes);
    } else if (shape == PAIRS) {
        _mm256_storeu_si256((__m256i *)(void *)y, _mm512_castsi512_si256(bytes));
        _mm256_storeu_si256((__m256i *)(void *)(y + step), _mm512_extracti64x4_epi64(bytes, 1));
    } else {
        _mm_storeu_si128((__m128i *)(void *)y, _mm512_castsi512_si128(bytes));
        _mm_storeu_si128((__m128i *)(void *)(y + step), _mm512_extracti32x4_epi32(bytes, 1));
        _mm_storeu_si128((__m128i *)(void *)(y + 2 * step), _mm512_extracti32x4_epi32(bytes, 2));
        _mm_storeu_si128((__m128i *)(void *)(y + 3 * step), _mm512_extracti32x4_epi32(bytes, 3));
    }
}

SZ_VNNI_INLINE __m512i requantised(const struct four *sums, const struct four *scale,
                                   const struct sz_output_512 *out, bool is_tame)
{
    __m512i v[4];
    SZ_UNROLL for (size_t i = 0; i < 4; i++) v[i] =
        sz_scaled(sums->v[i], _mm512_castsi512_ps(scale->v[i]), out, is_tame);
    return sz_narrowed(v, out);
}

/* What a vector's lanes have, times every input of a column, takes zero_w off its weights. Not for -128. */
SZ_VNNI_INLINE struct four less_zero_w(int32_t zero_w, size_t n)
{
    uint32_t each = (uint32_t)(uint8_t)-zero_w * 0x01010101u >> 8 * (SZ_X86_TAP_ROWS_I8 - n);
    __m512i lanes = _mm512_set1_epi32((int32_t)each);
    struct four four = {{lanes, lanes, lanes, lanes}};
    return four;
}

/* Where the next column of a window of three rows is. */
struct columns {
    const uint8_t *rows[3];
    size_t at, to_next; /* bytes */
    size_t step;        /* bytes between pixels that are computed at once */
    __mmask64 mask;
};

SZ_VNNI_INLINE struct four next_column(struct columns *from, enum shape shape)
{
    __m512i rows[3];
    SZ_UNROLL for (size_t i = 0; i < 3; i++) rows[i] =
        load_pixels(shape, from->mask, from->rows[i] + from->at, from->step);
    from->at += from->to_next;
    return interleaved(rows[0], rows[1], rows[2], rows[2]);
}

/* Windows of 3x3 without dilation, tame scales. A column is interleaved once, for all windows that have it:
 * `begun` holds the sums of the next pixels so far. Returns how many pixels were computed. */
SZ_VNNI_INLINE size_t run_3x3(const struct strip *s, enum shape shape, size_t stride, bool is_plain)
{
    const size_t at_once = shape == FOURS ? 4 : shape == PAIRS ? 2 : 1;
    const size_t fresh = at_once * stride < 3 ? at_once * stride : 3;
    const struct sz_depthwise_job *job = s->job;
    const size_t channels = job->channels, pixels = job->pixels / at_once;
    const struct sz_output_512 out = sz_output_of(job->zero_y, job->bounds);
    const struct four bias = in_lane_order(s->block, shape),
                      scale = in_lane_order(s->block + 4 * BLOCK, shape);
    const struct four zero = less_zero_w(job->zero_w, 3);
    int8_t *y = (int8_t *)job->y + s->first;
    struct columns from = {.at = s->first, .to_next = channels, .step = stride * channels, .mask = s->mask};
    struct four w[3], begun[2];
    SZ_UNROLL for (size_t j = 0; j < 3; j++)
    {
        from.rows[j] = job->rows[j];
        SZ_UNROLL for (size_t v = 0; v < 4; v++) w[j].v[v] =
            repeated(_mm512_loadu_si512(s->block + 8 * BLOCK + (j * 4 + v) * 64), shape);
    }
    if (pixels == 0)
        return 0;
    begun[0] = begun[1] = bias;
    SZ_UNROLL for (size_t j = 0; j < 3 - fresh; j++)
    {
        struct four x = next_column(&from, shape);
        SZ_UNROLL for (size_t i = 0; i <= j; i++) add_column(&begun[i], &x, &w[j - i], &zero, is_plain);
    }
    for (size_t n = pixels; n > 0; n--) {
        struct four sums = begun[0], x;
        if (fresh == 3) {
            x = next_column(&from, shape);
            add_column(&sums, &x, &w[0], &zero, is_plain);
        }
        if (fresh >= 2) {
            x = next_column(&from, shape);
            add_column(&sums, &x, &w[1], &zero, is_plain);
        }
        x = next_column(&from, shape);
        add_column(&sums, &x, &w[2], &zero, is_plain);
        if (fresh == 2) {
            begun[0] = bias;
            add_column(&begun[0], &x, &w[0], &zero, is_plain);
        }
        if (fresh == 1) {
            begun[0] = begun[1];
            add_column(&begun[0], &x, &w[1], &zero, is_plain);
            begun[1] = bias;
            add_column(&begun[1], &x, &w[0], &zero, is_plain);
        }
        from.at += (at_once * stride - fresh) * channels;
        store(shape, s->mask, requantised(&sums, &scale, &out, true), y, channels);
        y += at_once * channels;
    }
    return pixels * at_once;
}

#define RUN_3X3(shape, stride)                                                                               \
    SZ_VNNI static size_t run_3x3_##shape##_##stride(const struct strip *s)                                  \
    {                                                                                                        \
        return s->job->zero_w == 0 ? run_3x3(s, shape, stride, true) : run_3x3(s, shape, stride, false);     \
    }
RUN_3X3(WHOLE, 1)
RUN_3X3(PART, 1)
RUN_3X3(PAIRS, 1)
RUN_3X3(FOURS, 1)
RUN_3X3(WHOLE, 2)
RUN_3X3(PART, 2)
RUN_3X3(PAIRS, 2)
RUN_3X3(FOURS, 2)

static size_t (*const runs_3x3[2][4])(const struct strip *s) = {
    {run_3x3_WHOLE_1, run_3x3_PART_1, run_3x3_PAIRS_1, run_3x3_FOURS_1},
    {run_3x3_WHOLE_2, run_3x3_PART_2, run_3x3_PAIRS_2, run_3x3_FOURS_2},
};

/* Any window, from pixel `pixel` on. */
SZ_VNNI static void run_general(const struct strip *s, size_t pixel)
{
    const struct sz_depthwise_job *job = s->job;
    const struct four bias = in_lane_order(s->block, PART), scale = in_lane_order(s->block + 4 * BLOCK, PART);
    const struct sz_output_512 out = sz_output_of(job->zero_y, job->bounds);
    for (; pixel < job->pixels; pixel++) {
        const uint8_t *w = s->block + 8 * BLOCK;
        struct four sums = bias;
        for (size_t j = 0; j < job->window_w; j++) {
            size_t at = (pixel * job->stride + j * job->dilation) * job->channels + s->first;
            for (size_t i = 0; i < job->window_h; i += SZ_X86_TAP_ROWS_I8, w += 256) {
                size_t n = job->window_h - i < SZ_X86_TAP_ROWS_I8 ? job->window_h - i : SZ_X86_TAP_ROWS_I8;
                __m512i rows[4];
                struct four weights, zero = less_zero_w(job->zero_w == -128 ? -127 : job->zero_w, n);
                SZ_UNROLL for (size_t r = 0; r < 4; r++)
                {
                    const uint8_t *row = job->rows[i + (r < n ? r : 0)];
                    rows[r] = load_pixels(PART, s->mask, row + at, 0);
                }
                SZ_UNROLL for (size_t v = 0; v < 4; v++) weights.v[v] = _mm512_loadu_si512(w + v * 64);
                struct four x = interleaved(rows[0], rows[1], rows[2], rows[3]);
                add_column(&sums, &x, &weights, &zero, job->zero_w == 0);
                if (job->zero_w == -128) {
                    zero = less_zero_w(-1, n);
                    add_column(&sums, &x, &zero, &zero, true);
                }
            }
        }
        int8_t *y = (int8_t *)job->y + pixel * job->channels + s->first;
        store(PART, s->mask, requantised(&sums, &scale, &out, false), y, 0);
    }
}

SZ_VNNI_INLINE bool is_tame(const uint8_t *scale)
{
    return sz_is_tame(scale) && sz_is_tame(scale + 64) && sz_is_tame(scale + 128) && sz_is_tame(scale + 192);
}

SZ_VNNI void sz_x86_avx512_depthwise_i8(const struct sz_depthwise_job *job)
{
    size_t groups = (job->window_h + SZ_X86_TAP_ROWS_I8 - 1) / SZ_X86_TAP_ROWS_I8;
    size_t block_bytes = BLOCK * (8 + groups * SZ_X86_TAP_ROWS_I8 * job->window_w);
    bool is_3x3 = job->window_h == 3 && job->window_w == 3 && job->stride <= 2 && job->dilation == 1 &&
                  job->zero_w != -128;
    const uint8_t *block = job->w;
    for (size_t c = 0; c < job->channels; c += BLOCK, block += block_bytes) {
        size_t count = job->channels - c < BLOCK ? job->channels - c : BLOCK;
        enum shape shape = count == BLOCK ? WHOLE : count == 32 ? PAIRS : count == 16 ? FOURS : PART;
        struct strip s = {job, c, count == BLOCK ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1, block};
        size_t done = is_3x3 && is_tame(block + 4 * BLOCK) ? runs_3x3[job->stride - 1][shape](&s) : 0;
        if (done < job->pixels)
            run_general(&s, done);
    }
}
#endif
