/* Kernels for aarch64, with and without the dot product instructions, which the compiler's flags decide
 * (-march=armv8.2-a+dotprod). */
#ifndef SZ_TINYLIB_NEON_KERNELS_H
#define SZ_TINYLIB_NEON_KERNELS_H

#include "../target.h"

void sz_neon_panels_f32(const struct sz_panel_job *job);
void sz_neon_panels_i8(const struct sz_panel_job *job);
void sz_neon_depthwise_f32(const struct sz_depthwise_job *job);
void sz_neon_depthwise_i8(const struct sz_depthwise_job *job);

/* CONV_2D with packed weights; false, with nothing done, where panels are better or the scratch is too small.
 */
bool sz_neon_winograd_f32(const struct sz_call *call);

void sz_neon_add_f32(const struct sz_call *call);
void sz_neon_add_i8(const struct sz_call *call);
void sz_neon_concat(const struct sz_call *call);
void sz_neon_max_pool_f32(const struct sz_call *call);
void sz_neon_max_pool_i8(const struct sz_call *call);
void sz_neon_global_mean_i8(const struct sz_call *call);

#endif
