#include "kernels.h"

#if defined(__aarch64__)

/* clients/publisher/packing/neon.ts has the same numbers, and the order. */
static const struct sz_target_kernels neon = {
#if defined(__ARM_FEATURE_DOTPROD)
    .target = SZ_TARGET_NEON_DOT,
    .packing_i8 = {.columns = 16, .depth_step = 4, .rows = 16, .panels = 4, .channels = 16, .tap_rows = 1},
#else
    .target = SZ_TARGET_NEON,
    .packing_i8 = {.columns = 4, .depth_step = 8, .rows = 16, .panels = 16, .channels = 16, .tap_rows = 1},
#endif
    .packing_f32 = {.columns = 16, .depth_step = 4, .rows = 8, .panels = 4, .channels = 4, .tap_rows = 1},
    .panels_f32 = sz_neon_panels_f32,
    .panels_i8 = sz_neon_panels_i8,
    .depthwise_f32 = sz_neon_depthwise_f32,
    .depthwise_i8 = sz_neon_depthwise_i8,
    .convolve_f32 = sz_neon_winograd_f32,
    .plain =
        {
            .f32 = {[SZ_OP_ADD] = sz_neon_add_f32,
                    [SZ_OP_MAX_POOL_2D] = sz_neon_max_pool_f32,
                    [SZ_OP_CONCAT] = sz_neon_concat},
            .i8 = {[SZ_OP_ADD] = sz_neon_add_i8,
                   [SZ_OP_MAX_POOL_2D] = sz_neon_max_pool_i8,
                   [SZ_OP_GLOBAL_MEAN] = sz_neon_global_mean_i8,
                   [SZ_OP_CONCAT] = sz_neon_concat},
        },
};

const struct sz_target_kernels *sz_native_kernels(void)
{
    return &neon;
}

const char *sz_native_target_name(void)
{
#if defined(__ARM_FEATURE_DOTPROD)
    return "neon-dot";
#else
    return "neon";
#endif
}

#else
typedef int sz_not_empty;
#endif
