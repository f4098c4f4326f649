#include "matmul.h"

struct sz_geometry sz_geometry_of_conv(const struct sz_call *call, uint32_t w_h)
{
    const int32_t *ints = call->op->ints;
    const uint32_t *in = call->in[0].record->dims;
    const uint32_t *w = call->in[1].record->dims;
    const uint32_t *out = call->out->dims;
    struct sz_geometry g = {
        .in_h = (int32_t)in[1],
        .in_w = (int32_t)in[2],
        .in_c = (int32_t)in[3],
        .out_h = (int32_t)out[1],
        .out_w = (int32_t)out[2],
        .out_c = (int32_t)out[3],
        .window_h = (int32_t)w[w_h],
        .window_w = (int32_t)w[w_h + 1],
        .stride_h = ints[SZ_STRIDE_H],
        .stride_w = ints[SZ_STRIDE_W],
        .dilation_h = ints[SZ_DILATION_H],
        .dilation_w = ints[SZ_DILATION_W],
        .pad_top = ints[SZ_PAD_TOP],
        .pad_left = ints[SZ_PAD_LEFT],
        .groups = ints[SZ_GROUPS],
        .first = ints[SZ_FIRST_CHANNEL],
        .columns = (int32_t)w[w_h == 0 ? 3 : 0] / ints[SZ_GROUPS],
        .rows = (size_t)out[0] * out[1] * out[2],
    };
    g.depth = (size_t)g.window_h * (size_t)g.window_w * (size_t)(g.in_c / g.groups);
    return g;
}

struct sz_geometry sz_geometry_of_fully_connected(const struct sz_call *call, size_t inputs)
{
    size_t rows = sz_elements(call->in[0].record) / inputs;
    size_t outputs = sz_elements(call->in[1].record) / inputs;
    struct sz_geometry g = {
        .in_w = 1, .window_h = 1, .window_w = 1, .stride_h = 1, .stride_w = 1, .groups = 1};
    g.dilation_h = g.dilation_w = g.out_w = 1;
    g.in_h = g.out_h = (int32_t)rows;
    g.in_c = (int32_t)inputs;
    g.out_c = (int32_t)sz_channels(call->out);
    g.first = call->op->ints[SZ_FIRST_CHANNEL];
    g.columns = (int32_t)outputs;
    g.rows = rows;
    g.depth = inputs;
    return g;
}

struct sz_gather sz_gather_start(const struct sz_geometry *g, size_t row, int32_t group, size_t depth_offset)
{
    size_t per_picture = (size_t)g->out_h * (size_t)g->out_w;
    size_t picture = row / per_picture;
    int32_t in_picture = (int32_t)(row % per_picture);
    int32_t group_c = g->in_c / g->groups;
    struct sz_gather gather = {
        .g = g,
        .y = in_picture / g->out_w * g->stride_h - g->pad_top,
        .x = in_picture % g->out_w * g->stride_w - g->pad_left,
        .picture = picture * (size_t)g->in_h * (size_t)g->in_w * (size_t)g->in_c,
        .tap = (int32_t)(depth_offset / (size_t)group_c),
        .channel = (int32_t)(depth_offset % (size_t)group_c),
        .group = group,
    };
    return gather;
}

size_t sz_gather_next(struct sz_gather *gather, size_t most, size_t *at)
{
    const struct sz_geometry *g = gather->g;
    int32_t group_c = g->in_c / g->groups;
    int32_t y = gather->y + gather->tap / g->window_w * g->dilation_h;
    int32_t x = gather->x + gather->tap % g->window_w * g->dilation_w;
    size_t run = (size_t)(group_c - gather->channel);
    if (y < 0 || y >= g->in_h || x < 0 || x >= g->in_w)
        *at = SZ_GATHER_OUTSIDE;
    else
        *at = gather->picture + ((size_t)y * (size_t)g->in_w + (size_t)x) * (size_t)g->in_c +
              (size_t)gather->group * (size_t)group_c + (size_t)gather->channel;
    if (run > most) {
        gather->channel += (int32_t)most;
        return most;
    }
    gather->channel = 0;
    gather->tap++;
    return run;
}
