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

/* Requantised sums of one row and panel in each 128-bit lane, cell i in lane i. */
SZ_VNNI_INLINE __m512i cells_of(const __m512i v[4], const struct sz_output_512 *out)
{
    const __m512i transposed = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(transposed, sz_narrowed(v, out));
}

/* The lanes of `cells` are `panels` panels of some rows: stores row `row` of them. */
SZ_VNNI_INLINE void store_row(int8_t *y, __m512i cells, size_t row, size_t panels, size_t columns)
{
    if (panels == 1) {
        __m128i bytes = row == 0   ? _mm512_castsi512_si128(cells)
                        : row == 1 ? _mm512_extracti32x4_epi32(cells, 1)
                        : row == 2 ? _mm512_extracti32x4_epi32(cells, 2)
                                   : _mm512_extracti32x4_epi32(cells, 3);
        if (columns == 16)
            _mm_storeu_si128((__m128i *)(void *)y, bytes);
        else
            _mm_mask_storeu_epi8(y, (__mmask16)((1u << columns) - 1), bytes);
    } else if (panels == 2) {
        __m256i bytes = row == 0 ? _mm512_castsi512_si256(cells) : _mm512_extracti64x4_epi64(cells, 1);
        if (columns == 32)
            _mm256_storeu_si256((__m256i *)(void *)y, bytes);
        else
            _mm256_mask_storeu_epi8(y, ((__mmask32)1 << columns) - 1, bytes);
    } else if (columns == 64) {
        _mm512_storeu_si512(y, cells);
    } else {
        _mm512_mask_storeu_epi8(y, ((__mmask64)1 << columns) - 1, cells);
    }
}

SZ_VNNI_INLINE void sum_tile(const struct sz_panel_job *job, const uint8_t *a, const int32_t *terms,
                             int8_t *y, const struct sz_output_512 *given, size_t rows, size_t panels,
                             bool is_tame)
{
    const struct sz_output_512 out = *given;
    const size_t depth = job->depth, a_stride = job->a_stride, y_stride = job->y_stride,
                 columns = job->columns;
    __m512i sums[12][PANELS];
    const uint8_t *b[PANELS];
    SZ_UNROLL for (size_t p = 0; p < panels; p++)
    {
        b[p] = job->b + p * job->panel_bytes;
        __m512i bias = _mm512_loadu_si512(b[p]);
        SZ_UNROLL for (size_t r = 0; r < rows; r++) sums[r][p] =
            terms == NULL ? bias : _mm512_add_epi32(bias, _mm512_set1_epi32(terms[r]));
    }
    for (size_t k = 0; k < depth; k += SZ_X86_STEP_I8) {
        __m512i w[PANELS];
        SZ_UNROLL for (size_t p = 0; p < panels; p++) w[p] = _mm512_loadu_si512(b[p] + 128 + 16 * k);
        SZ_UNROLL for (size_t r = 0; r < rows; r++)
        {
            __m512i x = load_unsigned(a + r * a_stride + k);
            SZ_UNROLL for (size_t p = 0; p < panels; p++) sums[r][p] = sz_dot4(sums[r][p], x, w[p]);
        }
    }
    const size_t at_once = 4 / panels; /* rows */
    SZ_UNROLL for (size_t r = 0; r < rows; r += at_once)
    {
        const size_t n = rows - r < at_once ? rows - r : at_once;
        __m512i v[4];
        SZ_UNROLL for (size_t i = 0; i < 4; i++) v[i] =
            i < n * panels ? sz_scaled(sums[r + i / panels][i % panels], _mm512_loadu_ps(b[i % panels] + 64),
                                       &out, is_tame)
                           : v[0];
        __m512i cells = cells_of(v, &out);
        SZ_UNROLL for (size_t i = 0; i < n; i++) store_row(y + (r + i) * y_stride, cells, i, panels, columns);
    }
}

/* Scales that are not tame: rows and panels one by one. */
SZ_VNNI static void multiply_carefully(struct sz_panel_job job, const struct sz_output_512 *out)
{
    const uint8_t *a = job.a;
    int8_t *y = job.y;
    for (size_t left = job.columns; left > 0;
         left -= job.columns, job.b += job.panel_bytes, y += job.columns) {
        job.columns = left < SZ_X86_COLUMNS_I8 ? left : SZ_X86_COLUMNS_I8;
        for (size_t r = 0; r < job.rows; r++) {
            const int32_t *term = job.row_terms == NULL ? NULL : job.row_terms + r;
            sum_tile(&job, a + r * job.a_stride, term, y + r * job.y_stride, out, 1, 1, false);
        }
    }
}

#define TILE(r, p)                                                                                           \
    SZ_VNNI static void tile_##r##_##p(const struct sz_panel_job *job, const uint8_t *a,                     \
                                       const int32_t *terms, int8_t *y, const struct sz_output_512 *out)     \
    {                                                                                                        \
        sum_tile(job, a, terms, y, out, r, p, true);                                                         \
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
    bool is_tame = true;
    for (size_t p = 0; p < panels; p++)
        is_tame = is_tame && sz_is_tame(job->b + p * job->panel_bytes + 64);
    if (!is_tame) {
        multiply_carefully(*job, &out);
        return;
    }
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
