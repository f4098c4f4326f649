/*
 * Float32 depthwise convolution of one output row for either width of lanes: some pixels at once for one
 * vector of channels. The including file has included its lanes.
 */
#include "kernels_f32.h"

#define BLOCK SZ_X86_CHANNELS_F32
#define PIXELS 7 /* at once, sums that do not wait for each other: 112, 56, 28, 14 and 7 are multiples */
#define FEW_PIXELS 4
#define CHANNELS 64 /* of as many pixels before the next ones: their inputs lie side by side */
#define MOST_STRIDE 2

/* One vector of channels of the job. */
struct column {
    const struct sz_depthwise_job *job;
    size_t channel;
    lanes_mask mask;             /* of those that there are; unused where all are */
    const float *bias, *weights; /* weights: BLOCK floats from tap to tap */
};

LANES_INLINE lanes load_channels(const float *p, const struct column *c, bool is_whole)
{
    return is_whole ? load(p) : load_some(p, c->mask);
}

LANES_INLINE void store_pixels(const struct column *c, size_t first, lanes *sums, size_t pixels,
                               bool is_whole)
{
    float *y = (float *)c->job->y + first * c->job->channels + c->channel;
    lanes low = splat(c->job->low);
    lanes high = splat(c->job->high);
    foreach (p, pixels) {
        lanes value = clamp(sums[p], low, high);
        if (is_whole)
            store(y + p * c->job->channels, value);
        else
            store_some(y + p * c->job->channels, c->mask, value);
    }
}

/* 3 x 3, every input is loaded once. */
LANES_INLINE void sum_3x3(const struct column *c, size_t first, size_t pixels, size_t stride, bool is_whole)
{
    lanes sums[PIXELS];
    size_t step = c->job->channels;
    lanes bias = load(c->bias);
    foreach (p, pixels)
        sums[p] = bias;
    foreach (i, 3) {
        const float *row = (const float *)c->job->rows[i] + first * stride * step + c->channel;
        lanes x[(PIXELS - 1) * MOST_STRIDE + 3];
        foreach (j, (pixels - 1) * stride + 3)
            x[j] = load_channels(row + j * step, c, is_whole);
        foreach (j, 3) {
            lanes w = load(c->weights + (3 * i + j) * BLOCK);
            foreach (p, pixels)
                sums[p] = multiply_add(x[p * stride + j], w, sums[p]);
        }
    }
    store_pixels(c, first, sums, pixels, is_whole);
}

/* Any window. */
LANES_INLINE void sum_window(const struct column *c, size_t first, size_t pixels, bool is_whole)
{
    const struct sz_depthwise_job *job = c->job;
    lanes sums[PIXELS];
    lanes bias = load(c->bias);
    size_t step = job->stride * job->channels;
    const float *weights = c->weights;
    foreach (p, pixels)
        sums[p] = bias;
    for (size_t i = 0; i < job->window_h; i++) {
        const float *row = (const float *)job->rows[i] + first * step + c->channel;
        for (size_t j = 0; j < job->window_w; j++, weights += BLOCK) {
            const float *x = row + j * job->dilation * job->channels;
            lanes w = load(weights);
            foreach (p, pixels)
                sums[p] = multiply_add(load_channels(x + p * step, c, is_whole), w, sums[p]);
        }
    }
    store_pixels(c, first, sums, pixels, is_whole);
}

LANES_INLINE void sum_pixels(const struct column *c, size_t first, size_t pixels, size_t stride,
                             bool is_whole)
{
    if (stride != 0)
        sum_3x3(c, first, pixels, stride, is_whole);
    else
        sum_window(c, first, pixels, is_whole);
}

/* All channels of [channel, end) at `pixels` pixels. */
LANES_INLINE void run_pixels(const struct sz_depthwise_job *job, size_t channel, size_t end, size_t first,
                             size_t pixels, size_t stride)
{
    size_t block_floats = (1 + job->window_h * job->window_w) * BLOCK;
    for (; channel < end; channel += LANES) {
        const float *block =
            (const float *)(const void *)job->w + channel / BLOCK * block_floats + channel % BLOCK;
        struct column c = {
            .job = job,
            .channel = channel,
            .bias = block,
            .weights = block + BLOCK,
        };
        if (end - channel >= LANES) {
            sum_pixels(&c, first, pixels, stride, true);
        } else {
            c.mask = first_lanes(end - channel);
            sum_pixels(&c, first, pixels, stride, false);
        }
    }
}

/* stride: 1 or 2 for a 3 x 3 window without dilation, 0 for any other. The last pixels are computed together
 * with some before them again, rather than one by one: y is none of the rows. */
LANES_INLINE void run_row(const struct sz_depthwise_job *job, size_t stride)
{
    size_t pixels = job->pixels;
    for (size_t channel = 0; channel < job->channels; channel += CHANNELS) {
        size_t end = job->channels - channel < CHANNELS ? job->channels : channel + CHANNELS;
        for (size_t p = 0; p < pixels;) {
            size_t left = pixels - p;
            if (left > FEW_PIXELS && pixels >= PIXELS) {
                p = left >= PIXELS ? p : pixels - PIXELS;
                run_pixels(job, channel, end, p, PIXELS, stride);
                p += PIXELS;
            } else if (pixels >= FEW_PIXELS) {
                p = left >= FEW_PIXELS ? p : pixels - FEW_PIXELS;
                run_pixels(job, channel, end, p, FEW_PIXELS, stride);
                p += FEW_PIXELS;
            } else {
                run_pixels(job, channel, end, p, 1, stride);
                p++;
            }
        }
    }
}

LANES_TARGET static __attribute__((noinline)) void run_3x3(const struct sz_depthwise_job *job)
{
    run_row(job, 1);
}

LANES_TARGET static __attribute__((noinline)) void run_3x3_stride_2(const struct sz_depthwise_job *job)
{
    run_row(job, 2);
}

LANES_TARGET static __attribute__((noinline)) void run_any(const struct sz_depthwise_job *job)
{
    run_row(job, 0);
}

LANES_INLINE void convolve_row(const struct sz_depthwise_job *job)
{
    bool is_3x3 = job->window_h == 3 && job->window_w == 3 && job->dilation == 1;
    if (is_3x3 && job->stride == 1)
        run_3x3(job);
    else if (is_3x3 && job->stride == 2)
        run_3x3_stride_2(job);
    else
        run_any(job);
}
