/* Which of the x86 kernels this processor runs: AVX-512 with VNNI, or AVX2. Both read one packing. */
#include "../target.h"

#if defined(__x86_64__)
#include "kernels.h"
#include "plain.h"
#include "winograd_f32.h"

#include <cpuid.h>

#define PACKINGS                                                                                             \
    .target = SZ_TARGET_X86,                                                                                 \
    .packing_f32 = {.columns = SZ_X86_COLUMNS_F32,                                                           \
                    .depth_step = 1,                                                                         \
                    .rows = SZ_X86_ROWS_F32,                                                                 \
                    .panels = SZ_X86_PANELS_F32,                                                             \
                    .channels = SZ_X86_CHANNELS_F32,                                                         \
                    .tap_rows = 1},                                                                          \
    .packing_i8 = {.columns = SZ_X86_COLUMNS_I8,                                                             \
                   .depth_step = SZ_X86_STEP_I8,                                                             \
                   .rows = SZ_X86_ROWS_I8,                                                                   \
                   .panels = SZ_X86_PANELS_I8,                                                               \
                   .channels = SZ_X86_CHANNELS_I8,                                                           \
                   .tap_rows = SZ_X86_TAP_ROWS_I8,                                                           \
                   .input_offset = SZ_X86_INPUT_OFFSET}

#define AVX512_KERNELS                                                                                       \
    PACKINGS, .panels_f32 = sz_x86_avx512_panels_f32, .panels_i8 = sz_x86_avx512_panels_i8,                  \
              .depthwise_f32 = sz_x86_avx512_depthwise_f32, .depthwise_i8 = sz_x86_avx512_depthwise_i8,      \
              .convolve_f32 = sz_x86_avx512_winograd_f32

const struct sz_target_kernels sz_x86_avx512_kernels = {
    AVX512_KERNELS,
    .plain = SZ_X86_PLAIN(sz_x86_activation_i8),
};

const struct sz_target_kernels sz_x86_vbmi_kernels = {
    AVX512_KERNELS,
    .plain = SZ_X86_PLAIN(sz_x86_vbmi_activation_i8),
};

const struct sz_target_kernels sz_x86_avx2_kernels = {
    PACKINGS,
    .panels_f32 = sz_x86_avx2_panels_f32,
    .panels_i8 = sz_x86_avx2_panels_i8,
    .depthwise_f32 = sz_x86_avx2_depthwise_f32,
    .depthwise_i8 = sz_x86_avx2_depthwise_i8,
    .plain = SZ_X86_PLAIN(sz_x86_activation_i8),
    .convolve_f32 = sz_x86_avx2_winograd_f32,
};

/* Which registers the operating system keeps for a process (XCR0). */
static uint32_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

enum sz_x86_level sz_x86_level_here(void)
{
    const uint32_t avx2 = bit_AVX2;
    const uint32_t avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512VL;
    const uint32_t ymm = 0x06, zmm = 0xe6;
    uint32_t a, b, d, features, more;
    if (__get_cpuid(1, &a, &b, &features, &d) == 0 || (features & bit_OSXSAVE) == 0 ||
        (features & bit_FMA) == 0 || __get_cpuid_count(7, 0, &a, &b, &more, &d) == 0)
        return SZ_X86_NEITHER;
    uint32_t state = saved_state();
    if ((b & avx512) == avx512 && (more & bit_AVX512VNNI) != 0 && (state & zmm) == zmm)
        return (more & bit_AVX512VBMI) != 0 ? SZ_X86_VBMI : SZ_X86_AVX512;
    return (b & avx2) != 0 && (state & ymm) == ymm ? SZ_X86_AVX2 : SZ_X86_NEITHER;
}

const struct sz_target_kernels *sz_native_kernels(void)
{
    switch (sz_x86_level_here()) {
    case SZ_X86_VBMI:
        return &sz_x86_vbmi_kernels;
    case SZ_X86_AVX512:
        return &sz_x86_avx512_kernels;
    case SZ_X86_AVX2:
        return &sz_x86_avx2_kernels;
    default:
        return NULL;
    }
}

const char *sz_native_target_name(void)
{
    return sz_native_kernels() != NULL ? "x86" : "ref";
}
#endif
