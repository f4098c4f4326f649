/* int8 functions of one value with AVX-512-VBMI, which looks up 64 bytes in 128 entries at once. */
#include "plain.h"

#if defined(__x86_64__)
#include "../reference/kernels.h"

#include <immintrin.h>

#define SZ_VBMI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi")))
#define VECTOR 64 /* values */

/* table[x + 128]: the lower half of the table is that of negative values, and the index is of seven bits. */
SZ_VBMI static inline __m512i look_up(__m512i x, const __m512i table[4])
{
    __m512i of_negative = _mm512_permutex2var_epi8(table[0], x, table[1]);
    __m512i of_positive = _mm512_permutex2var_epi8(table[2], x, table[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), of_positive, of_negative);
}

SZ_VBMI void sz_x86_vbmi_activation_i8(const struct sz_call *call)
{
    const int8_t *x = call->in[0].data;
    int8_t *y = call->y;
    size_t n = sz_elements(call->out), i = 0;
    int8_t entries[4 * VECTOR];
    __m512i table[4];
    sz_ref_activation_table_i8(call, entries);
    for (size_t t = 0; t < 4; t++)
        table[t] = _mm512_loadu_si512(entries + t * VECTOR);
    for (; i + VECTOR <= n; i += VECTOR)
        _mm512_storeu_si512(y + i, look_up(_mm512_loadu_si512(x + i), table));
    if (i < n) {
        __mmask64 rest = ((__mmask64)1 << (n - i)) - 1;
        _mm512_mask_storeu_epi8(y + i, rest, look_up(_mm512_maskz_loadu_epi8(rest, x + i), table));
    }
}
#endif
