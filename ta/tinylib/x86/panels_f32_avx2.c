/* Float32 matrix product: 6 rows times one panel of two vectors, 12 sums. */
#include "kernels_f32.h"

#if defined(__x86_64__)
#include "lanes_avx2.h"

#define MOST_ROWS 6
#include "panels_f32_lanes.h"

LANES_TARGET void sz_x86_avx2_panels_f32(const struct sz_panel_job *job)
{
    multiply_panels(job);
}
#endif
