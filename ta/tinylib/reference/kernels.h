/* The reference kernels. */
#ifndef SZ_TINYLIB_REFERENCE_KERNELS_H
#define SZ_TINYLIB_REFERENCE_KERNELS_H

#include "../kernel.h"

void sz_ref_conv_f32(const struct sz_call *call);
void sz_ref_conv_i8(const struct sz_call *call);
void sz_ref_depthwise_f32(const struct sz_call *call);
void sz_ref_depthwise_i8(const struct sz_call *call);
void sz_ref_fully_connected_f32(const struct sz_call *call);
void sz_ref_fully_connected_i8(const struct sz_call *call);
void sz_ref_average_pool_f32(const struct sz_call *call);
void sz_ref_average_pool_i8(const struct sz_call *call);
void sz_ref_max_pool_f32(const struct sz_call *call);
void sz_ref_max_pool_i8(const struct sz_call *call);
void sz_ref_global_mean_f32(const struct sz_call *call);
void sz_ref_global_mean_i8(const struct sz_call *call);
void sz_ref_add_f32(const struct sz_call *call);
void sz_ref_add_i8(const struct sz_call *call);
void sz_ref_mul_f32(const struct sz_call *call);
void sz_ref_mul_i8(const struct sz_call *call);
void sz_ref_softmax_f32(const struct sz_call *call);
void sz_ref_softmax_i8(const struct sz_call *call);
void sz_ref_activation_f32(const struct sz_call *call);
void sz_ref_activation_i8(const struct sz_call *call);
/* The results of an int8 function of one value: table[q + 128]. */
void sz_ref_activation_table_i8(const struct sz_call *call, int8_t table[256]);
void sz_ref_prelu_f32(const struct sz_call *call);
void sz_ref_prelu_i8(const struct sz_call *call);
void sz_ref_quantize(const struct sz_call *call);
void sz_ref_requantize(const struct sz_call *call);
void sz_ref_dequantize(const struct sz_call *call);
void sz_ref_concat(const struct sz_call *call);
void sz_ref_pad(const struct sz_call *call);
void sz_ref_reshape(const struct sz_call *call);
void sz_ref_transpose(const struct sz_call *call);
void sz_ref_slice(const struct sz_call *call);
void sz_ref_resize_nearest(const struct sz_call *call);
void sz_ref_resize_bilinear_f32(const struct sz_call *call);
void sz_ref_resize_bilinear_i8(const struct sz_call *call);

#endif
