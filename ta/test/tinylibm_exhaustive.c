/*
 * Tinylibm against the host's double libm rounded to float: every function on a fixed-stride sample and on
 * the floats around special places, or with --all on all 2^32. Within 1 unit in the last place, NaN for NaN,
 * signs of zeros equal.
 */
#include "tinylibm/tinylibm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static const struct {
    const char *name;
    float (*ours)(float);
    double (*reference)(double);
    uint32_t tolerance; /* units in the last place */
} functions[] = {
    {"exp", sz_expf, exp, 1},
    {"log", sz_logf, log, 1},
    {"sqrt", sz_sqrtf, sqrt, 1},
    {"tanh", sz_tanhf, tanh, 1},
    {"sin", sz_sinf, sin, 1},
    {"cos", sz_cosf, cos, 1},
    {"sigmoid", sz_sigmoidf, sigmoid, 1},
    {"rint", sz_rintf, rint, 0},
    {"round", sz_roundf, round, 0},
    {"floor", sz_floorf, floor, 0},
    {"ceil", sz_ceilf, ceil, 0},
};

struct tally {
    uint64_t tested, inexact, wrong;
    float example;
};

/* Distance in representable floats, also across zero; a difference of sign of zero counts as far. */
static uint32_t distance(float a, float b)
{
    uint32_t i = sz_bits_of_float(a), k = sz_bits_of_float(b);
    if (i == k)
        return 0;
    if ((i ^ k) >> 31)
        return UINT32_MAX;
    return i > k ? i - k : k - i;
}

static void test(size_t f, uint32_t bits, struct tally *tally)
{
    float x = sz_float_of_bits(bits);
    float got = functions[f].ours(x);
    float expected = (float)functions[f].reference((double)x);
    tally->tested++;
    if (got != got && expected != expected)
        return;
    uint32_t off = got != got || expected != expected ? UINT32_MAX : distance(got, expected);
    tally->inexact += off != 0;
    if (off > functions[f].tolerance) {
        tally->wrong++;
        tally->example = x;
    }
}

int main(int argc, char **argv)
{
    int all = argc > 1 && strcmp(argv[1], "--all") == 0;
    /* A prime, so that all low bits occur. */
    uint64_t stride = all ? 1 : 4099;
    int failed = 0;
    for (size_t f = 0; f < sizeof(functions) / sizeof(functions[0]); f++) {
        struct tally tally = {0};
        for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += stride)
            test(f, (uint32_t)bits, &tally);
        /* Around every power of two, both signs: zeros, denormals, overflow, infinities and the thresholds in
         * the code. */
        for (uint32_t exponent = 0; exponent < 512 && !all; exponent++)
            for (uint32_t i = 0; i < 64; i++)
                test(f, (exponent << 23) + i - 32, &tally);
        printf("%-8s %llu inputs, %llu not correctly rounded, %llu wrong", functions[f].name,
               (unsigned long long)tally.tested, (unsigned long long)tally.inexact,
               (unsigned long long)tally.wrong);
        if (tally.wrong != 0)
            printf(" (as %a)", (double)tally.example);
        printf("\n");
        failed |= tally.wrong != 0;
    }
    printf("tinylibm: %s\n", failed ? "FAILED" : "ok");
    return failed;
}
