/* Between float32 and int8, and between two int8 quantisations. */
#include "../requant.h"
#include "kernels.h"

void sz_ref_quantize(const struct sz_call *call)
{
    const float *x = call->in[0].data;
    int8_t *y = call->y;
    size_t n = sz_elements(call->out);
    float inverse = 1.0f / call->out->scale;
    struct sz_bounds bounds = {-128, 127};
    for (size_t i = 0; i < n; i++)
        y[i] = sz_quantise_scaled(x[i] * inverse, call->out->zero_point, bounds);
}

void sz_ref_requantize(const struct sz_call *call)
{
    const int8_t *x = call->in[0].data;
    int8_t *y = call->y;
    size_t n = sz_elements(call->out);
    int32_t zero = call->in[0].record->zero_point;
    float scale = call->in[0].record->scale / call->out->scale;
    struct sz_bounds bounds = {-128, 127};
    for (size_t i = 0; i < n; i++)
        y[i] = sz_requantise(x[i] - zero, scale, call->out->zero_point, bounds);
}

void sz_ref_dequantize(const struct sz_call *call)
{
    const int8_t *x = call->in[0].data;
    float *y = call->y;
    size_t n = sz_elements(call->out);
    int32_t zero = call->in[0].record->zero_point;
    float scale = call->in[0].record->scale;
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(x[i] - zero) * scale;
}
