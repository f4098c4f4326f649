/* The float32 kernels of x86: each wants a processor with what its name says (AVX2 here always with FMA). */
#ifndef SZ_TINYLIB_X86_KERNELS_F32_H
#define SZ_TINYLIB_X86_KERNELS_F32_H

#include "../depthwise_rows.h"
#include "../panels.h"

/* Both widths read this packing: a panel's weights are [depth][columns], a block's
 * [window_h][window_w][channels]. */
#define SZ_X86_COLUMNS_F32 16  /* of a panel */
#define SZ_X86_ROWS_F32 14     /* most of one call */
#define SZ_X86_PANELS_F32 2    /* most of one call */
#define SZ_X86_CHANNELS_F32 16 /* of a depthwise block */

void sz_x86_avx512_panels_f32(const struct sz_panel_job *job);
void sz_x86_avx2_panels_f32(const struct sz_panel_job *job);
void sz_x86_avx512_depthwise_f32(const struct sz_depthwise_job *job);
void sz_x86_avx2_depthwise_f32(const struct sz_depthwise_job *job);

#endif
