/* 3 x 3 convolutions with less than half of the multiplications: see winograd_f32_lanes.h. */
#ifndef SZ_TINYLIB_X86_WINOGRAD_F32_H
#define SZ_TINYLIB_X86_WINOGRAD_F32_H

#include "kernels_f32.h"

/* Fewest tiles of 2 x 2 output pixels that transformed weights pay for. */
#define SZ_X86_WINOGRAD_TILES 12
/* CONV_2D with packed weights; false, with nothing done, if it is none of these or its scratch is too small.
 */
bool sz_x86_avx512_winograd_f32(const struct sz_call *call);
bool sz_x86_avx2_winograd_f32(const struct sz_call *call);

#endif
