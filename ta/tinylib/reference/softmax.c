/* exp(beta x) over the last dimension, divided by its sum. y may be x. */
#include "../../tinylibm/tinylibm.h"
#include "../requant.h"
#include "kernels.h"

void sz_ref_softmax_f32(const struct sz_call *call)
{
    size_t channels = sz_channels(call->out);
    size_t rows = sz_elements(call->out) / channels;
    float beta = call->op->floats[0];
    const float *x = call->in[0].data;
    float *y = call->y;
    for (size_t row = 0; row < rows; row++, x += channels, y += channels) {
        float greatest = x[0];
        float sum = 0.0f;
        for (size_t c = 1; c < channels; c++)
            greatest = x[c] > greatest ? x[c] : greatest;
        for (size_t c = 0; c < channels; c++) {
            y[c] = sz_expf((x[c] - greatest) * beta);
            sum += y[c];
        }
        for (size_t c = 0; c < channels; c++)
            y[c] /= sum;
    }
}

/* Half up: the values are not negative. This is TFLite's arithmetic, with a table over all 256 differences.
 */
static int8_t quantise_share(float share, int32_t zero)
{
    share = share < 256.0f ? share : 256.0f; /* NaN too */
    int32_t q = (int32_t)(share + 0.5f) + zero;
    return (int8_t)(q > 127 ? 127 : q);
}

void sz_ref_softmax_i8(const struct sz_call *call)
{
    size_t channels = sz_channels(call->out);
    size_t rows = sz_elements(call->out) / channels;
    float step = -call->in[0].record->scale * call->op->floats[0];
    const int8_t *x = call->in[0].data;
    int8_t *y = call->y;
    float table[256];
    for (uint32_t below = 0; below < 256; below++)
        table[below] = sz_expf(step * (float)below);
    for (size_t row = 0; row < rows; row++, x += channels, y += channels) {
        int32_t greatest = x[0];
        float sum = 0.0f;
        for (size_t c = 1; c < channels; c++)
            greatest = x[c] > greatest ? x[c] : greatest;
        for (size_t c = 0; c < channels; c++)
            sum += table[greatest - x[c]];
        float factor = 1.0f / (sum * call->out->scale);
        for (size_t c = 0; c < channels; c++)
            y[c] = quantise_share(table[greatest - x[c]] * factor, call->out->zero_point);
    }
}
