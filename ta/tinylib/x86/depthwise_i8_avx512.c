/* int8 depthwise convolution with AVX-512-VNNI: four rows of a window column are one step of vpdpbusd. */
#include "kernels_i8.h"

#if defined(__x86_64__)
#include "requantise_avx512.h"

#define BLOCK SZ_X86_CHANNELS_I8

/* 64 channels: the four vectors that lanes are divided among (kernels_i8.h). */
struct four {
    __m512i v[4];
};

/* One block of one row. */
struct strip {
    const struct sz_depthwise_job *job;
    size_t first, count; /* channels */
    __mmask64 mask;
    struct four bias;
    __m512 scale[4];
    const uint8_t *w;
    struct sz_output_512 out;
};

/* From channel order to the order of lanes: a transposition of 128-bit lanes. */
SZ_VNNI_INLINE struct four in_lane_order(const uint8_t *values)
{
    __m512i a = _mm512_loadu_si512(values), b = _mm512_loadu_si512(values + 64);
    __m512i c = _mm512_loadu_si512(values + 128), d = _mm512_loadu_si512(values + 192);
    __m512i low_ab = _mm512_shuffle_i32x4(a, b, 0x44), high_ab = _mm512_shuffle_i32x4(a, b, 0xee);
    __m512i low_cd = _mm512_shuffle_i32x4(c, d, 0x44), high_cd = _mm512_shuffle_i32x4(c, d, 0xee);
    struct four four = {{
        _mm512_shuffle_i32x4(low_ab, low_cd, 0x88),
        _mm512_shuffle_i32x4(low_ab, low_cd, 0xdd),
        _mm512_shuffle_i32x4(high_ab, high_cd, 0x88),
        _mm512_shuffle_i32x4(high_ab, high_cd, 0xdd),
    }};
    return four;
}

SZ_VNNI_INLINE __m512i load_row(const struct strip *s, size_t row, size_t pixel)
{
    const uint8_t *rows = s->job->rows[row];
    __m512i x = _mm512_maskz_loadu_epi8(s->mask, rows + pixel * s->job->channels + s->first);
    return _mm512_xor_si512(x, _mm512_set1_epi8((char)0x80));
}

/* A window column, `n` of its rows from `row` on (what stands for the missing ones meets weights of 0). */
SZ_VNNI_INLINE struct four interleaved(const struct strip *s, size_t row, size_t n, size_t pixel)
{
    __m512i a = load_row(s, row, pixel);
    __m512i b = n > 1 ? load_row(s, row + 1, pixel) : a;
    __m512i c = n > 2 ? load_row(s, row + 2, pixel) : a;
    __m512i d = n > 3 ? load_row(s, row + 3, pixel) : c;
    __m512i low_ab = _mm512_unpacklo_epi8(a, b), high_ab = _mm512_unpackhi_epi8(a, b);
    __m512i low_cd = _mm512_unpacklo_epi8(c, d), high_cd = _mm512_unpackhi_epi8(c, d);
    struct four four = {{
        _mm512_unpacklo_epi16(low_ab, low_cd),
        _mm512_unpackhi_epi16(low_ab, low_cd),
        _mm512_unpacklo_epi16(high_ab, high_cd),
        _mm512_unpackhi_epi16(high_ab, high_cd),
    }};
    return four;
}

SZ_VNNI_INLINE void add_column(struct four *sums, const struct four *x, const __m512i w[4])
{
    SZ_UNROLL for (size_t v = 0; v < 4; v++) sums->v[v] = sz_dot4(sums->v[v], x->v[v], w[v]);
}

SZ_VNNI_INLINE void store(const struct strip *s, const struct four *sums, size_t pixel)
{
    __m512i v[4];
    SZ_UNROLL for (size_t i = 0; i < 4; i++) v[i] = sz_scaled(sums->v[i], s->scale[i], &s->out);
    sz_store_bytes((int8_t *)s->job->y + pixel * s->job->channels + s->first, sz_narrowed(v, &s->out),
                   s->count);
}

/* Windows of 3x3, one step at a time: every interleaved column serves three pixels. */
SZ_VNNI static void run_3x3_step_1(const struct strip *s)
{
    __m512i w[3][4];
    SZ_UNROLL for (size_t j = 0; j < 3; j++)
    {
        SZ_UNROLL for (size_t v = 0; v < 4; v++) w[j][v] = _mm512_loadu_si512(s->w + (j * 4 + v) * 64);
    }
    struct four left = interleaved(s, 0, 3, 0);
    struct four middle = interleaved(s, 0, 3, 1);
    for (size_t pixel = 0; pixel < s->job->pixels; pixel++) {
        struct four right = interleaved(s, 0, 3, pixel + 2);
        struct four sums = s->bias;
        add_column(&sums, &left, w[0]);
        add_column(&sums, &middle, w[1]);
        add_column(&sums, &right, w[2]);
        store(s, &sums, pixel);
        left = middle;
        middle = right;
    }
}

/* Sums less zero_w times the sum of the inputs; the ones stand where the window has rows. */
SZ_VNNI_INLINE void subtract_inputs(struct four *sums, const struct four *inputs, int32_t zero_w)
{
    SZ_UNROLL for (size_t v = 0; v < 4; v++)
    {
        __m512i product = _mm512_mullo_epi32(inputs->v[v], _mm512_set1_epi32(zero_w));
        sums->v[v] = _mm512_sub_epi32(sums->v[v], product);
    }
}

SZ_VNNI static void run_general(const struct strip *s)
{
    const struct sz_depthwise_job *job = s->job;
    for (size_t pixel = 0; pixel < job->pixels; pixel++) {
        const uint8_t *w = s->w;
        struct four sums = s->bias;
        struct four inputs = {
            {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()}};
        for (size_t j = 0; j < job->window_w; j++) {
            size_t at = pixel * job->stride + j * job->dilation;
            for (size_t i = 0; i < job->window_h; i += SZ_X86_TAP_ROWS_I8, w += 256) {
                size_t n = job->window_h - i < SZ_X86_TAP_ROWS_I8 ? job->window_h - i : SZ_X86_TAP_ROWS_I8;
                struct four x = interleaved(s, i, n, at);
                __m512i weights[4];
                SZ_UNROLL for (size_t v = 0; v < 4; v++) weights[v] = _mm512_loadu_si512(w + v * 64);
                add_column(&sums, &x, weights);
                if (job->zero_w != 0) {
                    __m512i one = _mm512_set1_epi32((int32_t)(0x01010101u >> 8 * (SZ_X86_TAP_ROWS_I8 - n)));
                    __m512i ones[4] = {one, one, one, one};
                    add_column(&inputs, &x, ones);
                }
            }
        }
        if (job->zero_w != 0)
            subtract_inputs(&sums, &inputs, job->zero_w);
        store(s, &sums, pixel);
    }
}

SZ_VNNI void sz_x86_avx512_depthwise_i8(const struct sz_depthwise_job *job)
{
    size_t groups = (job->window_h + SZ_X86_TAP_ROWS_I8 - 1) / SZ_X86_TAP_ROWS_I8;
    size_t block_bytes = BLOCK * (8 + groups * SZ_X86_TAP_ROWS_I8 * job->window_w);
    bool is_3x3 = job->window_h == 3 && job->window_w == 3 && job->stride == 1 && job->dilation == 1;
    const uint8_t *block = job->w;
    for (size_t c = 0; c < job->channels; c += BLOCK, block += block_bytes) {
        struct four scale = in_lane_order(block + 4 * BLOCK);
        struct strip s = {
            .job = job,
            .first = c,
            .count = job->channels - c < BLOCK ? job->channels - c : BLOCK,
            .bias = in_lane_order(block),
            .w = block + 8 * BLOCK,
            .out = sz_output_of(job->zero_y, job->bounds),
        };
        s.mask = s.count == BLOCK ? ~(__mmask64)0 : ((__mmask64)1 << s.count) - 1;
        SZ_UNROLL for (size_t v = 0; v < 4; v++) s.scale[v] = _mm512_castsi512_ps(scale.v[v]);
        if (is_3x3 && job->zero_w == 0)
            run_3x3_step_1(&s);
        else
            run_general(&s);
    }
}
#endif
