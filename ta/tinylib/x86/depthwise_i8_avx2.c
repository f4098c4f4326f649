/* int8 depthwise convolution with AVX2, 16 channels at a time. */
#include "kernels_i8.h"

#if defined(__x86_64__)
#include "requantise_avx2.h"

#define BLOCK SZ_X86_CHANNELS_I8
#define QUARTER 16

/* Sixteen channels of one row. */
struct strip {
    const struct sz_depthwise_job *job;
    size_t first, count; /* channels */
    const uint8_t *bias, *w;
    struct sz_output_256 out;
};

SZ_AVX2_INLINE __m128i load_row(const struct strip *s, size_t row, size_t pixel)
{
    uint8_t some[QUARTER] = {0};
    const uint8_t *x = (const uint8_t *)s->job->rows[row] + pixel * s->job->channels + s->first;
    if (s->count < QUARTER) {
        memcpy(some, x, s->count);
        x = some;
    }
    return _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)x), _mm_set1_epi8((char)0x80));
}

/* Four rows of a window column, 0 where there are fewer; x[v] has four channels. */
SZ_AVX2_INLINE void interleave(const struct strip *s, size_t row, size_t pixel, __m128i x[4])
{
    __m128i rows[4];
    SZ_UNROLL for (size_t i = 0; i < 4; i++) rows[i] =
        row + i < s->job->window_h ? load_row(s, row + i, pixel) : _mm_setzero_si128();
    __m128i low_ab = _mm_unpacklo_epi8(rows[0], rows[1]), high_ab = _mm_unpackhi_epi8(rows[0], rows[1]);
    __m128i low_cd = _mm_unpacklo_epi8(rows[2], rows[3]), high_cd = _mm_unpackhi_epi8(rows[2], rows[3]);
    x[0] = _mm_unpacklo_epi16(low_ab, low_cd);
    x[1] = _mm_unpackhi_epi16(low_ab, low_cd);
    x[2] = _mm_unpacklo_epi16(high_ab, high_cd);
    x[3] = _mm_unpackhi_epi16(high_ab, high_cd);
}

SZ_AVX2_INLINE void store(const struct strip *s, const __m256i sums[4], size_t pixel)
{
    __m256i v[2];
    SZ_UNROLL for (size_t h = 0; h < 2; h++)
    {
        const void *bias = s->bias + 32 * h;
        const float *scale = (const float *)(const void *)(s->bias + 4 * BLOCK) + 8 * h;
        v[h] = _mm256_add_epi32(sz_joined(sums[2 * h], sums[2 * h + 1]), _mm256_loadu_si256(bias));
        v[h] = sz_scaled(v[h], _mm256_loadu_ps(scale), &s->out);
    }
    int8_t *y = (int8_t *)s->job->y + pixel * s->job->channels + s->first;
    sz_store_bytes(y, sz_narrowed(v[0], v[1], &s->out), s->count);
}

SZ_AVX2 static void run_strip(const struct strip *s)
{
    const struct sz_depthwise_job *job = s->job;
    __m256i zero_w = _mm256_set1_epi16((int16_t)job->zero_w);
    for (size_t pixel = 0; pixel < job->pixels; pixel++) {
        const uint8_t *w = s->w;
        __m256i sums[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                           _mm256_setzero_si256()};
        for (size_t j = 0; j < job->window_w; j++)
            for (size_t i = 0; i < job->window_h; i += SZ_X86_TAP_ROWS_I8, w += 4 * BLOCK) {
                __m128i x[4];
                interleave(s, i, pixel * job->stride + j * job->dilation, x);
                SZ_UNROLL for (size_t v = 0; v < 4; v++)
                {
                    const void *four = w + BLOCK * v;
                    __m256i weights = _mm256_sub_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(four)), zero_w);
                    sums[v] =
                        _mm256_add_epi32(sums[v], _mm256_madd_epi16(_mm256_cvtepu8_epi16(x[v]), weights));
                }
            }
        store(s, sums, pixel);
    }
}

SZ_AVX2 void sz_x86_avx2_depthwise_i8(const struct sz_depthwise_job *job)
{
    size_t groups = (job->window_h + SZ_X86_TAP_ROWS_I8 - 1) / SZ_X86_TAP_ROWS_I8;
    size_t block_bytes = BLOCK * (8 + groups * SZ_X86_TAP_ROWS_I8 * job->window_w);
    for (size_t c = 0; c < job->channels; c += QUARTER) {
        size_t quarter = c % BLOCK / QUARTER;
        const uint8_t *block = job->w + c / BLOCK * block_bytes;
        struct strip s = {
            .job = job,
            .first = c,
            .count = job->channels - c < QUARTER ? job->channels - c : QUARTER,
            .bias = block + 4 * QUARTER * quarter,
            .w = block + 8 * BLOCK + QUARTER * quarter,
            .out = sz_output_of(job->zero_y, job->bounds),
        };
        run_strip(&s);
    }
}
#endif
