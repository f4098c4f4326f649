/* Operators without packed weights that the reference's plain C leaves slower than memory, for AVX2; of
 * AVX-512, only looking up with VBMI gains more. All give the reference's results in every bit. */
#ifndef SZ_TINYLIB_X86_PLAIN_H
#define SZ_TINYLIB_X86_PLAIN_H

#include "../kernel.h"

void sz_x86_max_pool_f32(const struct sz_call *call);
void sz_x86_max_pool_i8(const struct sz_call *call);
void sz_x86_average_pool_f32(const struct sz_call *call);
void sz_x86_add_i8(const struct sz_call *call);
void sz_x86_activation_i8(const struct sz_call *call);
void sz_x86_vbmi_activation_i8(const struct sz_call *call);

/* A struct sz_kernel_table with these; NULL: the reference's. */
#define SZ_X86_PLAIN(activation_i8)                                                                          \
    {                                                                                                        \
        .f32 =                                                                                               \
            {                                                                                                \
                [SZ_OP_AVERAGE_POOL_2D] = sz_x86_average_pool_f32,                                           \
                [SZ_OP_MAX_POOL_2D] = sz_x86_max_pool_f32,                                                   \
            },                                                                                               \
        .i8 = {                                                                                              \
            [SZ_OP_MAX_POOL_2D] = sz_x86_max_pool_i8,                                                        \
            [SZ_OP_ADD] = sz_x86_add_i8,                                                                     \
            [SZ_OP_LOGISTIC] = activation_i8,                                                                \
            [SZ_OP_TANH] = activation_i8,                                                                    \
            [SZ_OP_RELU] = activation_i8,                                                                    \
            [SZ_OP_LEAKY_RELU] = activation_i8,                                                              \
            [SZ_OP_HARD_SWISH] = activation_i8,                                                              \
        },                                                                                                   \
    }

#endif
