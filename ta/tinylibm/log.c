/* log(m 2^e) = e ln 2 + 2 artanh(s), s = (m - 1) / (m + 1), sqrt(1/2) <= m < sqrt(2), so |s| < 0.1716. */
#include "tinylibm.h"

static const double ln2 = 0x1.62e42fefa39efp-1;

float sz_logf(float x)
{
    if (x != x || x == 0.0f || x < 0.0f) {
        if (x == 0.0f)
            return sz_float_of_bits(0xff800000u);
        return x != x ? x + x : sz_float_of_bits(0x7fc00000u);
    }
    if (sz_bits_of_float(x) == 0x7f800000u)
        return x;
    /* As a double every float is normal. */
    uint64_t bits = sz_bits_of_double((double)x);
    int32_t exponent = (int32_t)(bits >> 52) - 1023;
    uint64_t fraction = bits & 0xfffffffffffffu;
    if (fraction > 0x6a09e667f3bccu) { /* m > sqrt(2): halve it */
        exponent++;
        bits = fraction | (uint64_t)1022 << 52;
    } else {
        bits = fraction | (uint64_t)1023 << 52;
    }
    double m = sz_double_of_bits(bits);
    double s = (m - 1.0) / (m + 1.0);
    double z = s * s;
    /* The first term left out is z^8/17 < 4e-14. */
    double sum = 1.0 / 15.0;
    sum = sum * z + 1.0 / 13.0;
    sum = sum * z + 1.0 / 11.0;
    sum = sum * z + 1.0 / 9.0;
    sum = sum * z + 1.0 / 7.0;
    sum = sum * z + 1.0 / 5.0;
    sum = sum * z + 1.0 / 3.0;
    sum = sum * z + 1.0;
    return (float)((double)exponent * ln2 + 2.0 * s * sum);
}
