/* Float32 3 x 3 convolution with less than half of the multiplications: x86/winograd_f32_lanes.h, whose
 * panels of 16 columns are laid out as those of panels_f32.c. */
#include "kernels.h"

#if defined(__aarch64__)
#include "lanes_neon.h"

#define _mm_prefetch(at, hint) __builtin_prefetch(at)
#include "../x86/winograd_f32_lanes.h"

bool sz_neon_winograd_f32(const struct sz_call *call)
{
    return convolve(call, sz_neon_panels_f32);
}

#else
typedef int sz_not_empty;
#endif
