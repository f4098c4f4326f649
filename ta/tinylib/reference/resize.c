/* Nearest and bilinear resizing, with TFLite's three ways to map coordinates. */
#include "../../tinylibm/tinylibm.h"
#include "../requant.h"
#include "kernels.h"

enum { ALIGN_CORNERS, HALF_PIXEL };

/* Source coordinate of output position `i`. */
static float source_of(const struct sz_call *call, uint32_t dim, uint32_t i, bool shifted_back)
{
    float in = (float)call->in[0].record->dims[dim];
    float out = (float)call->out->dims[dim];
    bool align = call->op->ints[ALIGN_CORNERS] != 0 && call->out->dims[dim] > 1;
    float scale = align ? (in - 1.0f) / (out - 1.0f) : in / out;
    if (call->op->ints[HALF_PIXEL] != 0)
        return ((float)i + 0.5f) * scale - (shifted_back ? 0.5f : 0.0f);
    return (float)i * scale;
}

static uint32_t limited(float coordinate, uint32_t size)
{
    if (!(coordinate > 0.0f))
        return 0;
    uint32_t i = (uint32_t)coordinate; /* at most 2^24 and a little */
    return i < size ? i : size - 1;
}

static uint32_t nearest(const struct sz_call *call, uint32_t dim, uint32_t i)
{
    float coordinate = source_of(call, dim, i, false);
    coordinate = call->op->ints[ALIGN_CORNERS] != 0 ? sz_roundf(coordinate) : sz_floorf(coordinate);
    return limited(coordinate, call->in[0].record->dims[dim]);
}

void sz_ref_resize_nearest(const struct sz_call *call)
{
    const uint32_t *in = call->in[0].record->dims;
    const uint32_t *out = call->out->dims;
    size_t pixel = (size_t)in[3] * (call->in[0].record->dtype == SZ_I8 ? 1 : sizeof(float));
    const uint8_t *x = call->in[0].data;
    uint8_t *to = call->y;
    for (uint32_t n = 0; n < out[0]; n++) {
        for (uint32_t i = 0; i < out[1]; i++) {
            size_t row = ((size_t)n * in[1] + nearest(call, 1, i)) * in[2];
            for (uint32_t j = 0; j < out[2]; j++, to += pixel)
                memcpy(to, x + (row + nearest(call, 2, j)) * pixel, pixel);
        }
    }
}

/* Two neighbours and the share of the second. */
struct between {
    uint32_t low, high;
    float share;
};

static struct between between_of(const struct sz_call *call, uint32_t dim, uint32_t i)
{
    float coordinate = source_of(call, dim, i, true);
    uint32_t size = call->in[0].record->dims[dim];
    struct between b = {limited(sz_floorf(coordinate), size), limited(sz_ceilf(coordinate), size), 0.0f};
    b.share = coordinate - (float)b.low;
    if (b.high == b.low)
        b.share = 0.0f;
    return b;
}

/* The four neighbours of one output pixel, as indices of their first channel, and their weights. */
struct corners {
    size_t at[4];
    float weight[4];
};

static struct corners corners_of(const struct sz_call *call, uint32_t n, struct between v, struct between h)
{
    const uint32_t *in = call->in[0].record->dims;
    size_t low = ((size_t)n * in[1] + v.low) * in[2];
    size_t high = ((size_t)n * in[1] + v.high) * in[2];
    struct corners c = {
        {(low + h.low) * in[3], (low + h.high) * in[3], (high + h.low) * in[3], (high + h.high) * in[3]},
        {(1.0f - v.share) * (1.0f - h.share), (1.0f - v.share) * h.share, v.share * (1.0f - h.share),
         v.share * h.share},
    };
    return c;
}

/* `at` is the index of the pixel's first channel in y. */
typedef void (*pixel_of)(const struct sz_call *call, const struct corners *c, size_t at);

static void for_each_pixel(const struct sz_call *call, pixel_of pixel)
{
    const uint32_t *out = call->out->dims;
    size_t at = 0;
    for (uint32_t n = 0; n < out[0]; n++) {
        for (uint32_t i = 0; i < out[1]; i++) {
            struct between v = between_of(call, 1, i);
            for (uint32_t j = 0; j < out[2]; j++, at += out[3]) {
                struct corners c = corners_of(call, n, v, between_of(call, 2, j));
                pixel(call, &c, at);
            }
        }
    }
}

static void pixel_f32(const struct sz_call *call, const struct corners *c, size_t at)
{
    const float *x = call->in[0].data;
    float *y = (float *)call->y + at;
    for (uint32_t k = 0; k < call->out->dims[3]; k++)
        y[k] = x[c->at[0] + k] * c->weight[0] + x[c->at[1] + k] * c->weight[1] +
               x[c->at[2] + k] * c->weight[2] + x[c->at[3] + k] * c->weight[3];
}

static void pixel_i8(const struct sz_call *call, const struct corners *c, size_t at)
{
    const int8_t *x = call->in[0].data;
    int8_t *y = (int8_t *)call->y + at;
    for (uint32_t k = 0; k < call->out->dims[3]; k++) {
        float q = 0.0f;
        for (uint32_t i = 0; i < 4; i++)
            q += (float)x[c->at[i] + k] * c->weight[i];
        y[k] = sz_quantise_scaled(q, 0, (struct sz_bounds){-128, 127});
    }
}

void sz_ref_resize_bilinear_f32(const struct sz_call *call)
{
    for_each_pixel(call, pixel_f32);
}

void sz_ref_resize_bilinear_i8(const struct sz_call *call)
{
    for_each_pixel(call, pixel_i8);
}
