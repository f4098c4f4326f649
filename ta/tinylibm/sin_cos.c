/*
 * x = n pi/2 + r, |r| <= pi/4, then Taylor series in r. n and r come from pi/2 in three parts (Cody and
 * Waite) while n is small, from the bits of 2/pi (Payne and Hanek) otherwise.
 */
#include "tinylibm.h"

/* The first two parts have 27 bits: their products with n < 2^25 are exact. */
static const double half_pi_1 = 0x1.921fb54000000p+0;
static const double half_pi_2 = 0x1.10b4610000000p-30;
static const double half_pi_3 = 0x1.a62633145c06ep-58;
static const double half_pi = 0x1.921fb54442d18p+0;
static const double two_over_pi = 0x1.45f306dc9c883p-1;

/* The binary fraction 2/pi, most significant word first. */
static const uint32_t two_over_pi_bits[8] = {0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u,
                                             0xdb629599u, 0x3c439041u, 0xfe5163abu, 0xdebbc561u};

/* 32 bits of 2/pi from bit `first` on (0 is the one worth 1/2). */
static uint32_t bits_from(uint32_t first)
{
    uint32_t word = first / 32;
    uint32_t shift = first % 32;
    uint64_t two = (uint64_t)two_over_pi_bits[word] << 32 | two_over_pi_bits[word + 1];
    return (uint32_t)(two << shift >> 32);
}

/*
 * magnitude = m 2^e with e >= 2. Bits of 2/pi worth more than 2^(1-e) give multiples of 4 quadrants: of the
 * next 96 bits times m, modulo 2^96, the top two bits are the quadrant and the others its fraction.
 */
static uint32_t reduce_large(float magnitude, double *r)
{
    uint32_t bits = sz_bits_of_float(magnitude);
    uint32_t e = (bits >> 23) - 150;
    uint64_t m = (bits & 0x7fffffu) | 0x800000u;
    uint32_t first = e - 2;
    uint64_t low = m * bits_from(first + 64);
    uint64_t middle = m * bits_from(first + 32) + (low >> 32);
    uint64_t high = m * bits_from(first) + (middle >> 32);
    uint64_t top = (high & 0xffffffffu) << 32 | (middle & 0xffffffffu);
    uint32_t quadrant = (uint32_t)(top >> 62);
    uint64_t fraction = top << 2 | (low & 0xffffffffu) >> 30;
    uint32_t rest = (uint32_t)low << 2;
    /* A fraction above one half is the next quadrant less something. */
    double value;
    if (fraction >> 63) {
        quadrant++;
        uint64_t complement = ~fraction;
        value = -((double)complement + (1.0 - (double)rest * 0x1p-32));
    } else {
        value = (double)fraction + (double)rest * 0x1p-32;
    }
    *r = value * 0x1p-64 * half_pi;
    return quadrant;
}

static uint32_t reduce(float magnitude, double *r)
{
    if (magnitude >= 0x1p25f)
        return reduce_large(magnitude, r);
    double x = (double)magnitude;
    double n = sz_nearest(x * two_over_pi);
    *r = ((x - n * half_pi_1) - n * half_pi_2) - n * half_pi_3;
    return (uint32_t)n;
}

static double sine_of(double r)
{
    double z = r * r;
    double sum = -1.0 / 1307674368000.0;
    sum = sum * z + 1.0 / 6227020800.0;
    sum = sum * z - 1.0 / 39916800.0;
    sum = sum * z + 1.0 / 362880.0;
    sum = sum * z - 1.0 / 5040.0;
    sum = sum * z + 1.0 / 120.0;
    sum = sum * z - 1.0 / 6.0;
    return r + r * z * sum;
}

static double cosine_of(double r)
{
    double z = r * r;
    double sum = -1.0 / 87178291200.0;
    sum = sum * z + 1.0 / 479001600.0;
    sum = sum * z - 1.0 / 3628800.0;
    sum = sum * z + 1.0 / 40320.0;
    sum = sum * z - 1.0 / 720.0;
    sum = sum * z + 1.0 / 24.0;
    sum = sum * z - 0.5;
    return 1.0 + z * sum;
}

/* sin(n pi/2 + r) */
static double sine_in_quadrant(uint32_t n, double r)
{
    double value = (n & 1u) ? cosine_of(r) : sine_of(r);
    return (n & 2u) ? -value : value;
}

float sz_sinf(float x)
{
    double r;
    uint32_t bits = sz_bits_of_float(x);
    if ((bits & 0x7f800000u) == 0x7f800000u)
        return x - x;
    if ((bits & 0x7fffffffu) < 0x39800000u) /* below 2^-12; also keeps -0 */
        return (float)((double)x * (1.0 - (double)x * (double)x / 6.0));
    uint32_t n = reduce(sz_fabsf(x), &r);
    double value = sine_in_quadrant(n, r);
    return (float)(bits >> 31 ? -value : value);
}

float sz_cosf(float x)
{
    double r;
    if ((sz_bits_of_float(x) & 0x7f800000u) == 0x7f800000u)
        return x - x;
    uint32_t n = reduce(sz_fabsf(x), &r);
    return (float)sine_in_quadrant(n + 1u, r);
}
