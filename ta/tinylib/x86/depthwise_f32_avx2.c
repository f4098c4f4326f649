/* Float32 depthwise convolution, as depthwise_f32_lanes.h. */
#include "kernels_f32.h"

#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "depthwise_f32_lanes.h"

LANES_TARGET void sz_x86_avx2_depthwise_f32(const struct sz_depthwise_job *job)
{
    convolve_row(job);
}
#endif
