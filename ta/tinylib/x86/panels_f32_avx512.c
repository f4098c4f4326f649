/* Float32 matrix product: 14 rows times two panels, 28 sums. */
#include "kernels_f32.h"

#if defined(__x86_64__)
#include "lanes_avx512.h"

#define MOST_ROWS 14
#include "panels_f32_lanes.h"

LANES_TARGET void sz_x86_avx512_panels_f32(const struct sz_panel_job *job)
{
    multiply_panels(job);
}
#endif
