/* All kernels of x86, and the tables of each instruction set: tests run every one that the processor has. */
#ifndef SZ_TINYLIB_X86_KERNELS_H
#define SZ_TINYLIB_X86_KERNELS_H

#include "../target.h"
#include "kernels_f32.h"
#include "kernels_i8.h"

enum sz_x86_level {
    SZ_X86_NEITHER,
    SZ_X86_AVX2,   /* with FMA */
    SZ_X86_AVX512, /* F, BW, VL and VNNI */
    SZ_X86_VBMI,   /* that and VBMI */
};

enum sz_x86_level sz_x86_level_here(void);

extern const struct sz_target_kernels sz_x86_avx2_kernels;
extern const struct sz_target_kernels sz_x86_avx512_kernels;
extern const struct sz_target_kernels sz_x86_vbmi_kernels;

#endif
