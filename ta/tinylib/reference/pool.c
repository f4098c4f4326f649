/* Average and maximum over a window, mean over the whole picture. Channels are innermost. */
#include "../requant.h"
#include "../taps.h"
#include "kernels.h"
#include "lanes.h"

#define CHANNELS 64 /* int8 sums kept at once: 256 bytes of stack */

static void average_at_f32(const struct sz_call *call, const struct sz_taps *t, size_t channels, void *to)
{
    float *y = to;
    float count = (float)(t->rows * t->columns);
    (void)call;
    for (size_t c = 0; c < channels; c++)
        y[c] = 0.0f;
    for (size_t i = 0; i < (size_t)t->rows; i++) {
        for (size_t j = 0; j < (size_t)t->columns; j++) {
            const float *tap = (const float *)(const void *)(t->first + i * t->row + j * t->column);
            for (size_t c = 0; c < channels; c++)
                y[c] += tap[c];
        }
    }
    for (size_t c = 0; c < channels; c++)
        y[c] /= count;
}

static void max_at_f32(const struct sz_call *call, const struct sz_taps *t, size_t channels, void *to)
{
    float *y = to;
    (void)call;
    memcpy(y, t->first, channels * sizeof(*y));
    for (size_t i = 0; i < (size_t)t->rows; i++) {
        for (size_t j = 0; j < (size_t)t->columns; j++) {
            const float *tap = (const float *)(const void *)(t->first + i * t->row + j * t->column);
            for (size_t c = 0; c < channels; c++)
                y[c] = tap[c] > y[c] ? tap[c] : y[c];
        }
    }
}

/* On the quantised values, as TFLite: for int8 half away from zero; for uint8, which are 128 more, half up.
 */
static int8_t rounded_average(int32_t sum, int32_t count, bool half_up, struct sz_bounds bounds)
{
    int32_t q;
    if (half_up)
        q = (sum + 128 * count + count / 2) / count - 128;
    else
        q = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
    q = q < bounds.low ? bounds.low : q;
    return (int8_t)(q > bounds.high ? bounds.high : q);
}

/* Sums of n channels from `first` on. */
static void sum_i8(const struct sz_taps *t, size_t first, size_t n, int32_t sums[CHANNELS])
{
    memset(sums, 0, n * sizeof(*sums));
    for (size_t i = 0; i < (size_t)t->rows; i++) {
        for (size_t j = 0; j < (size_t)t->columns; j++) {
            const int8_t *tap = (const int8_t *)t->first + i * t->row + j * t->column + first;
            for (size_t c = 0; c < n; c++)
                sums[c] += tap[c];
        }
    }
}

static void average_at_i8(const struct sz_call *call, const struct sz_taps *t, size_t channels, void *to)
{
    int8_t *y = to;
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    bool half_up = call->op->ints[SZ_HALF_UP] != 0;
    int32_t sums[CHANNELS];
    for (size_t first = 0; first < channels; first += CHANNELS) {
        size_t n = channels - first < CHANNELS ? channels - first : CHANNELS;
        sum_i8(t, first, n, sums);
        for (size_t c = 0; c < n; c++)
            y[first + c] = rounded_average(sums[c], t->rows * t->columns, half_up, bounds);
    }
}

static void max_at_i8(const struct sz_call *call, const struct sz_taps *t, size_t channels, void *to)
{
    int8_t *y = to;
    struct sz_bounds bounds = sz_bounds_of(call->out, call->op->activation);
    for (size_t c = 0; c < channels; c++)
        y[c] = (int8_t)bounds.low;
    for (size_t i = 0; i < (size_t)t->rows; i++) {
        for (size_t j = 0; j < (size_t)t->columns; j++) {
            const int8_t *tap = (const int8_t *)t->first + i * t->row + j * t->column;
            for (size_t c = 0; c < channels; c++)
                y[c] = tap[c] > y[c] ? tap[c] : y[c];
        }
    }
    for (size_t c = 0; c < channels; c++)
        y[c] = y[c] > bounds.high ? (int8_t)bounds.high : y[c];
}

void sz_ref_average_pool_f32(const struct sz_call *call)
{
    sz_pool(call, sizeof(float), average_at_f32);
    sz_clamp_all(call->y, sz_elements(call->out), sz_range_of(call->op->activation));
}

void sz_ref_max_pool_f32(const struct sz_call *call)
{
    sz_pool(call, sizeof(float), max_at_f32);
    sz_clamp_all(call->y, sz_elements(call->out), sz_range_of(call->op->activation));
}

void sz_ref_average_pool_i8(const struct sz_call *call)
{
    sz_pool(call, 1, average_at_i8);
}

void sz_ref_max_pool_i8(const struct sz_call *call)
{
    sz_pool(call, 1, max_at_i8);
}

/* The whole of picture n. */
static struct sz_taps whole(const struct sz_operand *x, uint32_t n)
{
    const struct sz_tensor_record *in = x->record;
    size_t pixel = in->bytes / ((size_t)in->dims[0] * in->dims[1] * in->dims[2]);
    struct sz_taps t = {x->data, (int32_t)in->dims[1], (int32_t)in->dims[2], in->dims[2] * pixel, pixel};
    t.first += n * in->dims[1] * t.row;
    return t;
}

void sz_ref_global_mean_f32(const struct sz_call *call)
{
    const struct sz_tensor_record *in = call->in[0].record;
    for (uint32_t n = 0; n < in->dims[0]; n++) {
        struct sz_taps t = whole(&call->in[0], n);
        average_at_f32(call, &t, in->dims[3], (float *)call->y + (size_t)n * in->dims[3]);
    }
}

void sz_ref_global_mean_i8(const struct sz_call *call)
{
    const struct sz_tensor_record *in = call->in[0].record;
    int8_t *y = call->y;
    int32_t pixels = (int32_t)(in->dims[1] * in->dims[2]);
    float scale = in->scale / (call->out->scale * (float)pixels);
    struct sz_bounds bounds = sz_bounds_of(call->out, SZ_ACT_NONE);
    int32_t sums[CHANNELS];
    for (uint32_t n = 0; n < in->dims[0]; n++, y += in->dims[3]) {
        struct sz_taps t = whole(&call->in[0], n);
        for (size_t first = 0; first < in->dims[3]; first += CHANNELS) {
            size_t count = in->dims[3] - first < CHANNELS ? in->dims[3] - first : CHANNELS;
            sum_i8(&t, first, count, sums);
            for (size_t c = 0; c < count; c++)
                y[first + c] =
                    sz_requantise(sums[c] - pixels * in->zero_point, scale, call->out->zero_point, bounds);
        }
    }
}
