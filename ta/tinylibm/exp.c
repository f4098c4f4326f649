/* exp(x) = 2^n * exp(r), x = n ln 2 + r, |r| <= ln 2 / 2, exp(r) by its Taylor series. */
#include "tinylibm.h"

/* ln 2 in two parts; the first has 40 significant bits, so that its product with n (11 bits) is exact. */
static const double ln2_high = 0x1.62e42fefa2000p-1;
static const double ln2_low = 0x1.9ef35793c7673p-41;
static const double log2_e = 0x1.71547652b82fep+0;

double sz_exp_wide(double x)
{
    double n = sz_nearest(x * log2_e);
    double r = (x - n * ln2_high) - n * ln2_low;
    /* 1/k! from 1/11! down; the first term left out is r^12/12! < 7e-15. */
    double sum = 1.0 / 39916800.0;
    sum = sum * r + 1.0 / 3628800.0;
    sum = sum * r + 1.0 / 362880.0;
    sum = sum * r + 1.0 / 40320.0;
    sum = sum * r + 1.0 / 5040.0;
    sum = sum * r + 1.0 / 720.0;
    sum = sum * r + 1.0 / 120.0;
    sum = sum * r + 1.0 / 24.0;
    sum = sum * r + 1.0 / 6.0;
    sum = sum * r + 0.5;
    sum = sum * r + 1.0;
    sum = sum * r + 1.0;
    return sum * sz_double_of_bits((uint64_t)((int64_t)n + 1023) << 52);
}

float sz_expf(float x)
{
    if (x != x)
        return x + x;
    if (x > 89.0f) /* the greatest float is exp(88.72...) */
        return sz_float_of_bits(0x7f800000u);
    if (x < -104.0f) /* half of the smallest float is exp(-103.97...) */
        return 0.0f;
    return (float)sz_exp_wide((double)x);
}

float sz_sigmoidf(float x)
{
    if (x != x)
        return x + x;
    if (x < -104.0f)
        return 0.0f;
    if (x > 40.0f)
        return 1.0f;
    return (float)(1.0 / (1.0 + sz_exp_wide(-(double)x)));
}
