/* int8 addition, and functions of one value through a table. y may be an input: nothing is computed twice. */
#include "plain.h"

#if defined(__x86_64__)
#include "../reference/kernels.h"
#include "../requant.h"
#include "lanes_avx2.h"

#define VECTOR 32 /* values */

/* y = ((a m_a + b m_b + before) >> shift) + zero, clamped; sums modulo 2^32, the whole fits int32. */
struct addition {
    __m256i multiplier_a, multiplier_b, before;
    __m128i shift;
    __m256i zero, low, high;
};

LANES_INLINE __m256i add_8(const struct addition *t, const int8_t *a, const int8_t *b)
{
    __m256i wide_a = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)a));
    __m256i wide_b = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)b));
    __m256i products_a = _mm256_mullo_epi32(wide_a, t->multiplier_a);
    __m256i products_b = _mm256_mullo_epi32(wide_b, t->multiplier_b);
    __m256i sum = _mm256_add_epi32(_mm256_add_epi32(products_a, products_b), t->before);
    return _mm256_sra_epi32(sum, t->shift);
}

/* Saturating on the way to int8 changes no result: a clamp to int8's bounds or narrower ones follows. */
LANES_INLINE void add_32(const struct addition *t, const int8_t *a, const int8_t *b, int8_t *y)
{
    __m256i first = _mm256_packs_epi32(add_8(t, a, b), add_8(t, a + 8, b + 8));
    __m256i second = _mm256_packs_epi32(add_8(t, a + 16, b + 16), add_8(t, a + 24, b + 24));
    first = _mm256_adds_epi16(first, t->zero);
    second = _mm256_adds_epi16(second, t->zero);
    __m256i q = _mm256_packs_epi16(first, second);
    q = _mm256_min_epi8(_mm256_max_epi8(q, t->low), t->high);
    /* Packing works inside 128-bit halves: the values' order is 0 4 1 5 2 6 3 7 in fours. */
    q = _mm256_permutevar8x32_epi32(q, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(void *)y, q);
}

LANES_TARGET static void add_all(const struct sz_call *call, const struct sz_add_terms *terms, size_t n)
{
    const int8_t *a = call->in[0].data;
    const int8_t *b = call->in[1].data;
    int8_t *y = call->y;
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    int32_t before = (1 << (terms->shift - 1)) - call->in[0].record->zero_point * terms->multiplier_a -
                     call->in[1].record->zero_point * terms->multiplier_b;
    struct addition t = {
        .multiplier_a = _mm256_set1_epi32(terms->multiplier_a),
        .multiplier_b = _mm256_set1_epi32(terms->multiplier_b),
        .before = _mm256_set1_epi32(before),
        .shift = _mm_cvtsi32_si128((int)terms->shift),
        .zero = _mm256_set1_epi16((short)call->out->zero_point),
        .low = _mm256_set1_epi8((char)bounds.low),
        .high = _mm256_set1_epi8((char)bounds.high),
    };
    size_t i = 0;
    for (; i + VECTOR <= n; i += VECTOR)
        add_32(&t, a + i, b + i, y + i);
    if (i < n) {
        int8_t last_a[VECTOR] = {0}, last_b[VECTOR] = {0}, last_y[VECTOR];
        memcpy(last_a, a + i, n - i);
        memcpy(last_b, b + i, n - i);
        add_32(&t, last_a, last_b, last_y);
        memcpy(y + i, last_y, n - i);
    }
}

void sz_x86_add_i8(const struct sz_call *call)
{
    size_t n = sz_elements(call->in[0].record);
    struct sz_add_terms terms;
    if (sz_elements(call->in[1].record) != n ||
        !sz_add_terms_of(call->in[0].record, call->in[1].record, call->out, &terms))
        sz_ref_add_i8(call);
    else
        add_all(call, &terms, n);
}

/* table[x + 128], 16 entries at a time: adding 0x70 with saturation sets the top bit of every index that is
 * not among them, and then the shuffle gives 0. */
LANES_INLINE void look_up_64(const int8_t *table, const int8_t *x, int8_t *y)
{
    __m256i index_a = _mm256_loadu_si256((const __m256i *)(const void *)x);
    __m256i index_b = _mm256_loadu_si256((const __m256i *)(const void *)(x + VECTOR));
    __m256i found_a = _mm256_setzero_si256(), found_b = found_a;
    index_a = _mm256_xor_si256(index_a, _mm256_set1_epi8((char)0x80));
    index_b = _mm256_xor_si256(index_b, _mm256_set1_epi8((char)0x80));
    const __m256i outside = _mm256_set1_epi8(0x70), sixteen = _mm256_set1_epi8(16);
    for (size_t i = 0; i < 256; i += 16) {
        __m256i entries =
            _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(table + i)));
        __m256i part_a = _mm256_shuffle_epi8(entries, _mm256_adds_epu8(index_a, outside));
        __m256i part_b = _mm256_shuffle_epi8(entries, _mm256_adds_epu8(index_b, outside));
        found_a = _mm256_or_si256(found_a, part_a);
        found_b = _mm256_or_si256(found_b, part_b);
        index_a = _mm256_sub_epi8(index_a, sixteen);
        index_b = _mm256_sub_epi8(index_b, sixteen);
    }
    _mm256_storeu_si256((__m256i *)(void *)y, found_a);
    _mm256_storeu_si256((__m256i *)(void *)(y + VECTOR), found_b);
}

LANES_TARGET void sz_x86_activation_i8(const struct sz_call *call)
{
    const int8_t *x = call->in[0].data;
    int8_t *y = call->y;
    size_t n = sz_elements(call->out);
    int8_t table[256];
    sz_ref_activation_table_i8(call, table);
    size_t i = 0;
    for (; i + 2 * VECTOR <= n; i += 2 * VECTOR)
        look_up_64(table, x + i, y + i);
    for (; i < n; i++)
        y[i] = table[x[i] + 128];
}
#endif
