/* Rounding to an integer. From 2^23 on every float is one. */
#include "tinylibm.h"

static float with_sign_of(float magnitude, float x)
{
    return sz_float_of_bits((sz_bits_of_float(magnitude) & 0x7fffffffu) |
                            (sz_bits_of_float(x) & 0x80000000u));
}

static int has_fraction(float x)
{
    return sz_fabsf(x) < 0x1p23f; /* false for NaN */
}

float sz_rintf(float x)
{
    if (!has_fraction(x))
        return x;
    float magnitude = (sz_fabsf(x) + 0x1p23f) - 0x1p23f;
    return with_sign_of(magnitude, x);
}

static float truncate(float x)
{
    return with_sign_of((float)(int32_t)x, x);
}

float sz_roundf(float x)
{
    if (!has_fraction(x))
        return x;
    float whole = truncate(x);
    float rest = sz_fabsf(x) - sz_fabsf(whole); /* exact */
    return rest >= 0.5f ? with_sign_of(sz_fabsf(whole) + 1.0f, x) : whole;
}

float sz_floorf(float x)
{
    if (!has_fraction(x))
        return x;
    float whole = truncate(x);
    return whole > x ? whole - 1.0f : whole;
}

float sz_ceilf(float x)
{
    if (!has_fraction(x))
        return x;
    float whole = truncate(x);
    return whole < x ? with_sign_of(whole + 1.0f, x) : whole;
}
