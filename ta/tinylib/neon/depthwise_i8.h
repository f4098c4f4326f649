/* What the two ways of a 3x3 depthwise convolution share. */
#ifndef SZ_TINYLIB_NEON_DEPTHWISE_I8_H
#define SZ_TINYLIB_NEON_DEPTHWISE_I8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SZ_NEON_BLOCK 16 /* channels of a block of weights */

/* 3x3: some channels of a row of output. */
struct sz_neon_depthwise_part {
    const uint8_t *rows[3];
    const uint8_t *bias, *scale;
    const uint8_t *w; /* 16 bytes from tap to tap */
    uint8_t *y;
    size_t pixels;
    size_t step; /* bytes from pixel to pixel */
    size_t jump; /* bytes from behind the window's second pixel to the next window's first */
    struct {
        float low, high;
        int8_t zero_y, zero_w;
    } terms;
};

/* May products of two taps be added in int16? Not where weights have a zero point, or are -128. */
bool sz_neon_is_pairs(const struct sz_neon_depthwise_part *part);

/* 16 channels; only if sz_neon_is_pairs(). */
void sz_neon_depthwise_pairs(const struct sz_neon_depthwise_part *part, size_t stride);

#endif
