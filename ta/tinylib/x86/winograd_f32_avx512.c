/* Float32 3 x 3 convolution, as winograd_f32_lanes.h. */
#include "winograd_f32.h"

#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "winograd_f32_lanes.h"

bool sz_x86_avx512_winograd_f32(const struct sz_call *call)
{
    return convolve(call, sz_x86_avx512_panels_f32);
}
#endif
