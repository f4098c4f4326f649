/* int8 matrix product with AVX2: inputs and weights are widened to int16, since products of bytes would
 * saturate. */
#include "kernels_i8.h"

#if defined(__x86_64__)
#include "requantise_avx2.h"

/* Four unsigned inputs as int16, four times. */
SZ_AVX2_INLINE __m256i load_inputs(const uint8_t *x)
{
    const __m256i words =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 1, -1, 2, -1, 3, -1, 0, -1, 1, -1, 2, -1, 3, -1));
    int32_t four;
    __builtin_memcpy(&four, x, sizeof(four));
    __m256i bytes = _mm256_xor_si256(_mm256_set1_epi32(four), _mm256_set1_epi8((char)0x80));
    return _mm256_shuffle_epi8(bytes, words);
}

/* Some rows of one panel. sums[r][g] has, for columns 4 * g .. 4 * g + 3, two partial sums each. */
SZ_AVX2_INLINE void sum_tile(const struct sz_panel_job *job, const uint8_t *panel, size_t row, size_t rows,
                             size_t first, const struct sz_output_256 *out)
{
    __m256i sums[2][4];
    const uint8_t *a = (const uint8_t *)job->a + row * job->a_stride;
    SZ_UNROLL for (size_t r = 0; r < rows; r++)
    {
        SZ_UNROLL for (size_t g = 0; g < 4; g++) sums[r][g] = _mm256_setzero_si256();
    }
    for (size_t k = 0; k < job->depth; k += SZ_X86_STEP_I8) {
        __m256i x[2];
        SZ_UNROLL for (size_t r = 0; r < rows; r++) x[r] = load_inputs(a + r * job->a_stride + k);
        SZ_UNROLL for (size_t g = 0; g < 4; g++)
        {
            const void *w = panel + 128 + 16 * (k + g);
            __m256i weights = _mm256_cvtepi8_epi16(_mm_loadu_si128(w));
            SZ_UNROLL for (size_t r = 0; r < rows; r++) sums[r][g] = sz_add_pairs(sums[r][g], x[r], weights);
        }
    }
    size_t columns = job->columns - first;
    SZ_UNROLL for (size_t r = 0; r < rows; r++)
    {
        __m256i v[2];
        __m256i term = _mm256_set1_epi32(job->row_terms == NULL ? 0 : job->row_terms[row + r]);
        SZ_UNROLL for (size_t h = 0; h < 2; h++)
        {
            const void *bias = panel + 32 * h;
            const float *scale = (const float *)(const void *)(panel + 64) + 8 * h;
            v[h] = _mm256_add_epi32(sz_joined(sums[r][2 * h], sums[r][2 * h + 1]), _mm256_loadu_si256(bias));
            v[h] = sz_scaled(_mm256_add_epi32(v[h], term), _mm256_loadu_ps(scale), out);
        }
        sz_store_bytes((int8_t *)job->y + (row + r) * job->y_stride + first, sz_narrowed(v[0], v[1], out),
                       columns);
    }
}

SZ_AVX2 void sz_x86_avx2_panels_i8(const struct sz_panel_job *job)
{
    const struct sz_output_256 out = sz_output_of(job->zero_y, job->bounds);
    const uint8_t *panel = job->b;
    for (size_t c = 0; c < job->columns; c += SZ_X86_COLUMNS_I8, panel += job->panel_bytes) {
        size_t row = 0;
        for (; row + 2 <= job->rows; row += 2)
            sum_tile(job, panel, row, 2, c, &out);
        if (row < job->rows)
            sum_tile(job, panel, row, 1, c, &out);
    }
}
#endif
