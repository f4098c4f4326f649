/* Bounds of a float output after its fused activation. */
#ifndef SZ_TINYLIB_BOUNDS_F32_H
#define SZ_TINYLIB_BOUNDS_F32_H

#include "graph.h"

struct sz_range {
    float low;
    float high;
};

static inline struct sz_range sz_range_of(uint8_t activation)
{
    const float infinity = __builtin_inff();
    struct sz_range range = {-infinity, infinity};
    if (activation == SZ_ACT_RELU || activation == SZ_ACT_RELU6)
        range.low = 0.0f;
    if (activation == SZ_ACT_RELU_N1_TO_1)
        range.low = -1.0f;
    if (activation == SZ_ACT_RELU6)
        range.high = 6.0f;
    if (activation == SZ_ACT_RELU_N1_TO_1)
        range.high = 1.0f;
    return range;
}

#endif
