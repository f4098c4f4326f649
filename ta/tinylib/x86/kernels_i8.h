/* The int8 kernels of x86, and their packing. */
#ifndef SZ_TINYLIB_X86_KERNELS_I8_H
#define SZ_TINYLIB_X86_KERNELS_I8_H

#include "../depthwise_rows.h"
#include "../panels.h"

/*
 * A panel's weights are [depth / 4][columns][4]: a 32-bit lane has four values of the depth of one column, as
 * vpdpbusd multiplies them.
 *
 * A depthwise block's are [window_w][window_h / 4][4 vectors][16 lanes][4 rows]. The bytes of four input rows
 * are interleaved inside 128-bit lanes, which makes lane d of vector v channel 16 * (d / 4) + 4 * v + d % 4.
 */
#define SZ_X86_COLUMNS_I8 16
#define SZ_X86_STEP_I8 4
#define SZ_X86_ROWS_I8 12
#define SZ_X86_PANELS_I8 4
#define SZ_X86_CHANNELS_I8 64
#define SZ_X86_TAP_ROWS_I8 4
#define SZ_X86_INPUT_OFFSET 128

void sz_x86_avx512_panels_i8(const struct sz_panel_job *job);
void sz_x86_avx2_panels_i8(const struct sz_panel_job *job);
void sz_x86_avx512_depthwise_i8(const struct sz_depthwise_job *job);
void sz_x86_avx2_depthwise_i8(const struct sz_depthwise_job *job);

#endif
