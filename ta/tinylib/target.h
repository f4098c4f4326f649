/*
 * The fast kernels of an architecture. At most one is compiled into a TA (x86/, neon/), beside the reference,
 * which runs whatever has no faster kernel. Where an architecture has several (AVX2 and AVX-512), they read
 * the same packing and the processor decides when a graph is opened.
 */
#ifndef SZ_TINYLIB_TARGET_H
#define SZ_TINYLIB_TARGET_H

#include "depthwise_rows.h"
#include "panels.h"

struct sz_target_kernels {
    uint16_t target; /* enum sz_target: graphs packed for another are refused */
    struct sz_packing packing_f32, packing_i8;
    sz_panel_kernel panels_f32, panels_i8;
    sz_depthwise_kernel depthwise_f32, depthwise_i8;
    struct sz_kernel_table plain; /* operators without packed weights; NULL: the reference's */
    /* A float32 CONV_2D with packed weights as a whole; false, with nothing done, where panels_f32 is better
     * or the operator's scratch is too small. NULL: always. */
    bool (*convolve_f32)(const struct sz_call *call);
};

/* Of the processor that this runs on; NULL where there are none, then only target ref can run. */
const struct sz_target_kernels *sz_native_kernels(void);

/* "ref", "neon", "neon-dot" or "x86": the target that models for this device should be packed for. */
const char *sz_native_target_name(void);

#endif
