/*
 * Tinylibm: the functions of one float argument that a network needs, where there is no libm. Each result is
 * within 1 unit in the last place of the correctly rounded one, for every float (ta/test/tinylibm_exhaustive
 * --all).
 *
 * They compute in double, whose 29 spare bits make the final rounding the only visible error. Special values
 * follow C's Annex F, without errno and floating-point exceptions. No tables but the bits of 2/pi, no state.
 */
#ifndef SZ_TINYLIBM_H
#define SZ_TINYLIBM_H

#include <stdint.h>
#include <string.h>

float sz_expf(float x);
float sz_logf(float x);
float sz_sqrtf(float x);
float sz_tanhf(float x);
float sz_sinf(float x);
float sz_cosf(float x);
/* 1 / (1 + exp(-x)) */
float sz_sigmoidf(float x);

/* To an integer: half to even, half away from zero, down, up. Exact. */
float sz_rintf(float x);
float sz_roundf(float x);
float sz_floorf(float x);
float sz_ceilf(float x);

static inline uint32_t sz_bits_of_float(float x)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static inline float sz_float_of_bits(uint32_t bits)
{
    float x;
    __builtin_memcpy(&x, &bits, sizeof(x));
    return x;
}

static inline float sz_fabsf(float x)
{
    return sz_float_of_bits(sz_bits_of_float(x) & 0x7fffffffu);
}

static inline uint64_t sz_bits_of_double(double x)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static inline double sz_double_of_bits(uint64_t bits)
{
    double x;
    __builtin_memcpy(&x, &bits, sizeof(x));
    return x;
}

/* Nearest integer for |x| < 2^51: adding 1.5 * 2^52 leaves no fraction bits. */
static inline double sz_nearest(double x)
{
    const double shift = 0x1.8p52;
    return (x + shift) - shift;
}

/* exp(x) with a relative error below 1e-14, for |x| <= 700. */
double sz_exp_wide(double x);

#endif
