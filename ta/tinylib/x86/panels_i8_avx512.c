/* int8 matrix product with AVX-512-VNNI: up to 24 vectors of sums stay in registers over the whole depth. */
#include "kernels_i8.h"

#if defined(__x86_64__)
#include "requantise_avx512.h"

#define PANELS SZ_X86_PANELS_I8

SZ_VNNI_INLINE __m512i load_unsigned(const uint8_t *x)
{
    int32_t four;
    __builtin_memcpy(&four, x, sizeof(four));
    return _mm512_xor_si512(_mm512_set1_epi32((int32_t)0x80808080), _mm512_set1_epi32(four));
}

SZ_VNNI_INLINE void sum_tile(const struct sz_panel_job *job, const uint8_t *a, const int32_t *terms,
                             int8_t *y, const struct sz_output_512 *out, size_t rows, size_t panels)
{
    const __m512i transposed = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i sums[12][PANELS];
    const uint8_t *b[PANELS];
    SZ_UNROLL for (size_t p = 0; p < panels; p++)
    {
        b[p] = job->b + p * job->panel_bytes;
        __m512i bias = _mm512_loadu_si512(b[p]);
        SZ_UNROLL for (size_t r = 0; r < rows; r++) sums[r][p] =
            terms == NULL ? bias : _mm512_add_epi32(bias, _mm512_set1_epi32(terms[r]));
    }
    for (size_t k = 0; k < job->depth; k += SZ_X86_STEP_I8) {
        __m512i w[PANELS];
        SZ_UNROLL for (size_t p = 0; p < panels; p++) w[p] = _mm512_loadu_si512(b[p] + 128 + 16 * k);
        SZ_UNROLL for (size_t r = 0; r < rows; r++)
        {
            __m512i x = load_unsigned(a + r * job->a_stride + k);
            SZ_UNROLL for (size_t p = 0; p < panels; p++) sums[r][p] = sz_dot4(sums[r][p], x, w[p]);
        }
    }
    SZ_UNROLL for (size_t r = 0; r < rows; r++)
    {
        __m512i v[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                        _mm512_setzero_si512()};
        SZ_UNROLL for (size_t p = 0; p < panels; p++) v[p] =
            sz_scaled(sums[r][p], _mm512_loadu_ps(b[p] + 64), out);
        __m512i bytes = _mm512_permutexvar_epi32(transposed, sz_narrowed(v, out));
        sz_store_bytes(y + r * job->y_stride, bytes, job->columns);
    }
}

#define TILE(r, p)                                                                                           \
    SZ_VNNI static void tile_##r##_##p(const struct sz_panel_job *job, const uint8_t *a,                     \
                                       const int32_t *terms, int8_t *y, const struct sz_output_512 *out)     \
    {                                                                                                        \
        sum_tile(job, a, terms, y, out, r, p);                                                               \
    }
TILE(12, 1)
TILE(6, 1)
TILE(4, 1)
TILE(2, 1)
TILE(1, 1)
TILE(12, 2)
TILE(6, 2)
TILE(4, 2)
TILE(2, 2)
TILE(1, 2)
TILE(8, 3)
TILE(6, 3)
TILE(4, 3)
TILE(2, 3)
TILE(1, 3)
TILE(6, 4)
TILE(4, 4)
TILE(2, 4)
TILE(1, 4)

typedef void (*tile_kernel)(const struct sz_panel_job *job, const uint8_t *a, const int32_t *terms, int8_t *y,
                            const struct sz_output_512 *out);

static const struct {
    size_t rows;
    tile_kernel of_panels[PANELS];
} tiles[] = {
    {12, {tile_12_1, tile_12_2, NULL, NULL}},      {8, {NULL, NULL, tile_8_3, NULL}},
    {6, {tile_6_1, tile_6_2, tile_6_3, tile_6_4}}, {4, {tile_4_1, tile_4_2, tile_4_3, tile_4_4}},
    {2, {tile_2_1, tile_2_2, tile_2_3, tile_2_4}}, {1, {tile_1_1, tile_1_2, tile_1_3, tile_1_4}},
};

SZ_VNNI void sz_x86_avx512_panels_i8(const struct sz_panel_job *job)
{
    const struct sz_output_512 out = sz_output_of(job->zero_y, job->bounds);
    const size_t panels = (job->columns + SZ_X86_COLUMNS_I8 - 1) / SZ_X86_COLUMNS_I8;
    const uint8_t *a = job->a;
    const int32_t *terms = job->row_terms;
    int8_t *y = job->y;
    for (size_t left = job->rows; left > 0;) {
        size_t t = 0;
        while (tiles[t].rows > left || tiles[t].of_panels[panels - 1] == NULL)
            t++;
        const size_t rows = tiles[t].rows;
        tiles[t].of_panels[panels - 1](job, a, terms, y, &out);
        a += rows * job->a_stride;
        y += rows * job->y_stride;
        terms = terms == NULL ? NULL : terms + rows;
        left -= rows;
    }
}
#endif
