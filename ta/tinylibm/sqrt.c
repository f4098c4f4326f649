/* Newton's iteration y = (y + x / y) / 2 in double; a square root of a float is never so close to the middle
 * between two floats that the error of a double could decide. */
#include "tinylibm.h"

float sz_sqrtf(float x)
{
    if (x != x || x == 0.0f || sz_bits_of_float(x) == 0x7f800000u)
        return x != x ? x + x : x;
    if (x < 0.0f)
        return sz_float_of_bits(0x7fc00000u);
    double d = (double)x;
    /* Halving the exponent is within 7 %: the errors after the steps are 2e-3, 2e-6, 2e-12, 2e-24. */
    double y = sz_double_of_bits((sz_bits_of_double(d) >> 1) + ((uint64_t)1023 << 51));
    for (int i = 0; i < 4; i++)
        y = 0.5 * (y + d / y);
    return (float)y;
}
