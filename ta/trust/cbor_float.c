#include "trust/cbor_float.h"

#include <stdbool.h>
#include <string.h>

/* binary16 to binary64 (RFC 8949, appendix D, in integers). */
static double half_to_double(uint16_t half)
{
    const uint64_t sign = (uint64_t)(half >> 15) << 63;
    const uint32_t exponent = half >> 10 & 31;
    const uint64_t mantissa = half & 0x3ff;
    uint64_t bits;
    double value;
    if (exponent == 0) {
        value = (double)mantissa / 16777216.0; /* 2^-24 */
        return sign != 0 ? -value : value;
    }
    bits =
        sign | (exponent == 31 ? (uint64_t)0x7ff : (uint64_t)(exponent - 15 + 1023)) << 52 | mantissa << 42;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The half with the value of this single, which is no NaN, if there is one. */
static bool single_to_half(uint32_t single, uint16_t *half)
{
    const uint32_t sign = single >> 16 & 0x8000, exponent = single >> 23 & 0xff, mantissa = single & 0x7fffff;
    if (mantissa == 0 && (exponent == 0 || exponent == 0xff)) {
        *half = (uint16_t)(sign | (exponent != 0 ? 0x7c00 : 0));
        return true;
    }
    if (exponent >= 113 && exponent <= 142 && (mantissa & 0x1fff) == 0) {
        *half = (uint16_t)(sign | (exponent - 112) << 10 | mantissa >> 13);
        return true;
    }
    if (exponent >= 103 && exponent < 113) { /* a subnormal half: the implicit one is shifted in */
        const uint32_t dropped = 13 + (113 - exponent), whole = mantissa | 0x800000;
        *half = (uint16_t)(sign | whole >> dropped);
        return (whole & ((1u << dropped) - 1)) == 0;
    }
    return false;
}

size_t sz_float_shortest(double value, uint64_t *bits)
{
    /* The greatest single: beyond it only infinity may be converted (C11, 6.3.1.5). */
    const double greatest = 3.4028234663852886e38;
    const bool nan = value != value, infinite = !nan && value - value != 0;
    if (nan) {
        *bits = 0x7e00;
        return 2;
    }
    if (infinite || (value >= -greatest && value <= greatest)) {
        const float single = (float)value;
        uint32_t single_bits;
        uint16_t half;
        memcpy(&single_bits, &single, sizeof single_bits);
        if (single_to_half(single_bits, &half)) {
            *bits = half;
            if (half_to_double(half) == value) {
                return 2;
            }
        }
        if ((double)single == value) {
            *bits = single_bits;
            return 4;
        }
    }
    memcpy(bits, &value, sizeof value);
    return 8;
}

double sz_float_value(uint64_t bits, size_t size)
{
    double value;
    if (size == 2) {
        return half_to_double((uint16_t)bits);
    }
    if (size == 4) {
        const uint32_t low = (uint32_t)bits;
        float single;
        memcpy(&single, &low, sizeof single);
        return (double)single;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}
