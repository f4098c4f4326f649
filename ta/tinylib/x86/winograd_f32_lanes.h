/*
 * Float32 convolution with a 3 x 3 window and steps of 1 by the minimal filtering algorithm F(2x2, 3x3)
 * (Winograd 1980; Lavin and Gray 2016): 16 products per input and output channel for a tile of 2 x 2 output
 * pixels instead of 36, as 16 matrix products of transformed tiles with transformed weights. For either width
 * of lanes; the including file has included its lanes.
 *
 * Weights are transformed while the network runs, two panels and some channels at a time: packed ones stay
 * 9/16 of the size, and it costs less than a tenth where there are tiles enough. Everything is in the
 * operator's scratch:
 *
 *     weights [16][2 panels][1 + some channels][columns]   transformed; as panels, whose bias is 0
 *     inputs  [16][tiles][channels]                        transformed
 *     sums    [times some channels][16][tiles][2 panels * columns]
 *
 * each of the 16 a cache line longer, so that they do not all fall into the same sets of the cache.
 */
#include "../bounds_f32.h"
#include "../window.h"
#include "winograd_f32.h"

#define PANEL SZ_X86_COLUMNS_F32
#define LINE 16 /* floats of a cache line */
#define POINTS 16
#define AHEAD 1024 /* bytes */
#define DEPTH 128  /* channels of which two panels' transformed weights stay in the cache beside the tiles */
#define WIDTH (2 * PANEL)

struct winograd {
    const struct sz_call *call;
    sz_panel_kernel multiply;
    int32_t in_h, in_w, out_h, out_w;
    size_t channels, outputs;
    size_t tiles_h, tiles_w, tiles; /* tiles: of all pictures */
    size_t block;                   /* tiles at a time */
    size_t times;                   /* channels are taken DEPTH at a time */
    float *weights, *inputs, *sums;
    size_t weights_step, inputs_step, sums_step; /* floats from one of the 16 to the next */
};

/* Pixel of tile `index`'s first output. */
struct tile_place {
    size_t picture;
    int32_t y, x;
};

static struct tile_place place_of(const struct winograd *w, size_t index)
{
    size_t in_picture = index % (w->tiles_h * w->tiles_w);
    struct tile_place place = {
        .picture = index / (w->tiles_h * w->tiles_w),
        .y = (int32_t)(in_picture / w->tiles_w) * 2,
        .x = (int32_t)(in_picture % w->tiles_w) * 2,
    };
    return place;
}

LANES_INLINE lanes plus(lanes a, lanes b)
{
    return a + b;
}

LANES_INLINE lanes minus(lanes a, lanes b)
{
    return a - b;
}

/* B' d B of a tile's 4 x 4 inputs; taps outside the picture are NULL: 0. */
LANES_INLINE void transform_inputs(const float *const taps[POINTS], size_t c, bool is_inside, float *to,
                                   size_t step)
{
    lanes d[4][4], t[4][4];
    foreach (i, 4) {
        foreach (j, 4) {
            const float *tap = taps[4 * i + j];
            d[i][j] = is_inside || tap != NULL ? load(tap + c) : splat(0.0f);
        }
    }
    foreach (j, 4) {
        t[0][j] = minus(d[0][j], d[2][j]);
        t[1][j] = plus(d[1][j], d[2][j]);
        t[2][j] = minus(d[2][j], d[1][j]);
        t[3][j] = minus(d[1][j], d[3][j]);
    }
    foreach (i, 4) {
        store(to + (4 * i + 0) * step, minus(t[i][0], t[i][2]));
        store(to + (4 * i + 1) * step, plus(t[i][1], t[i][2]));
        store(to + (4 * i + 2) * step, minus(t[i][2], t[i][1]));
        store(to + (4 * i + 3) * step, minus(t[i][1], t[i][3]));
    }
}

LANES_TARGET static void transform_tile(const struct winograd *w, size_t index, float *to)
{
    const int32_t *ints = w->call->op->ints;
    struct tile_place at = place_of(w, index);
    const float *picture =
        (const float *)w->call->in[0].data + at.picture * (size_t)w->in_h * (size_t)w->in_w * w->channels;
    const float *taps[POINTS];
    bool is_inside = true;
    for (int32_t i = 0; i < POINTS; i++) {
        int32_t y = at.y - ints[SZ_PAD_TOP] + i / 4, x = at.x - ints[SZ_PAD_LEFT] + i % 4;
        bool inside = y >= 0 && y < w->in_h && x >= 0 && x < w->in_w;
        taps[i] = inside ? picture + ((size_t)y * (size_t)w->in_w + (size_t)x) * w->channels : NULL;
        is_inside = is_inside && inside;
    }
    for (size_t c = 0; c < w->channels; c += LANES) {
        if (is_inside)
            transform_inputs(taps, c, true, to + c, w->inputs_step);
        else
            transform_inputs(taps, c, false, to + c, w->inputs_step);
    }
}

/* G g G' of one channel's 3 x 3 weights, tap by tap `step` floats apart. */
LANES_INLINE void transform_weights(const float *from, size_t step, float *to, size_t to_step)
{
    const lanes half = splat(0.5f);
    lanes t[4][3];
    foreach (j, 3) {
        lanes a = load(from + j * step), b = load(from + (3 + j) * step), c = load(from + (6 + j) * step);
        lanes outer = plus(a, c);
        t[0][j] = a;
        t[1][j] = half * plus(outer, b);
        t[2][j] = half * minus(outer, b);
        t[3][j] = c;
    }
    foreach (i, 4) {
        lanes outer = plus(t[i][0], t[i][2]);
        store(to + (4 * i + 0) * to_step, t[i][0]);
        store(to + (4 * i + 1) * to_step, half * plus(outer, t[i][1]));
        store(to + (4 * i + 2) * to_step, half * minus(outer, t[i][1]));
        store(to + (4 * i + 3) * to_step, t[i][2]);
    }
}

/* Channels first .. first + count - 1 of one panel. */
LANES_TARGET static void transform_panel(const struct winograd *w, const float *packed, size_t first,
                                         size_t count, float *to)
{
    for (size_t point = 0; point < POINTS; point++)
        __builtin_memset(to + point * w->weights_step, 0, PANEL * sizeof(float));
    packed += (1 + first) * PANEL;
    for (size_t c = 0; c < count; c++) {
        to += PANEL;
        for (size_t tap = 0; tap < 9; tap++) /* more streams than the processor follows by itself */
            _mm_prefetch((const void *)((uintptr_t)(packed + (c + tap * w->channels) * PANEL) + AHEAD),
                         _MM_HINT_T0);
        for (size_t v = 0; v < PANEL; v += LANES)
            transform_weights(packed + c * PANEL + v, w->channels * PANEL, to + v, w->weights_step);
    }
}

/* The 16 matrix products of `tiles` tiles, of their channels first .. first + depth - 1, with the panels in
 * w->weights. */
static void multiply_points(const struct winograd *w, size_t tiles, size_t panels, size_t first, size_t depth,
                            float *sums)
{
    for (size_t point = 0; point < POINTS; point++) {
        const float *a = w->inputs + point * w->inputs_step + first;
        float *y = sums + point * w->sums_step;
        struct sz_panel_job job = {
            .a_stride = w->channels * sizeof(float),
            .b = (const uint8_t *)(w->weights + point * w->weights_step),
            .panel_bytes = (1 + depth) * PANEL * sizeof(float),
            .depth = depth,
            .columns = panels * PANEL,
            .y_stride = WIDTH * sizeof(float),
            .low = -__builtin_inff(),
            .high = __builtin_inff(),
        };
        for (size_t row = 0; row < tiles; row += job.rows) {
            size_t calls = (tiles - row + SZ_X86_ROWS_F32 - 1) / SZ_X86_ROWS_F32;
            job.rows = (tiles - row + calls - 1) / calls;
            job.a = a + row * w->channels;
            job.y = y + row * WIDTH;
            w->multiply(&job);
        }
    }
}

LANES_INLINE lanes load_sum(const struct winograd *w, const float *sums, size_t point)
{
    lanes sum = load(sums + point * w->sums_step);
    for (size_t i = 1; i < w->times; i++)
        sum = plus(sum, load(sums + (i * POINTS + point) * w->sums_step));
    return sum;
}

/* A' m A of one tile's sums, plus the bias, into the pixels of the tile that there are. */
LANES_INLINE void store_tile(const struct winograd *w, const float *sums, const float *bias, float *y,
                             size_t stride, bool below, bool beside, size_t left)
{
    struct sz_range range = sz_range_of(w->call->op->activation);
    lanes low = splat(range.low), high = splat(range.high);
    lanes t[2][4], out[4];
    foreach (j, 4) {
        lanes m1 = load_sum(w, sums, 4 + j), m2 = load_sum(w, sums, 8 + j);
        t[0][j] = plus(plus(load_sum(w, sums, j), m1), m2);
        t[1][j] = minus(minus(m1, m2), load_sum(w, sums, 12 + j));
    }
    foreach (i, 2) {
        out[2 * i] = plus(plus(plus(t[i][0], t[i][1]), t[i][2]), load(bias));
        out[2 * i + 1] = plus(minus(minus(t[i][1], t[i][2]), t[i][3]), load(bias));
    }
    size_t line = (size_t)w->out_w * stride;
    float *pixels[4] = {y, beside ? y + stride : y, below ? y + line : y,
                        below && beside ? y + line + stride : y};
    /* Pixels that do not exist go where the first one will, which is written last. */
    foreach (i, 4) {
        lanes value = clamp(out[3 - i], low, high);
        if (left >= LANES)
            store(pixels[3 - i], value);
        else
            store_some(pixels[3 - i], first_lanes(left), value);
    }
}

LANES_TARGET static void store_tiles(const struct winograd *w, size_t first, size_t count, size_t channel,
                                     const uint8_t *packed, size_t packed_bytes)
{
    size_t stride = sz_channels(w->call->out);
    size_t end = w->outputs - channel < WIDTH ? w->outputs - channel : WIDTH;
    float *y = (float *)w->call->y + (size_t)w->call->op->ints[SZ_FIRST_CHANNEL] + channel;
    for (size_t t = 0; t < count; t++) {
        struct tile_place at = place_of(w, first + t);
        size_t pixel = (at.picture * (size_t)w->out_h + (size_t)at.y) * (size_t)w->out_w + (size_t)at.x;
        const float *sums = w->sums + t * WIDTH;
        for (size_t v = 0; v < end; v += LANES) {
            const float *bias = (const float *)(const void *)(packed + v / PANEL * packed_bytes) + v % PANEL;
            store_tile(w, sums + v, bias, y + pixel * stride + v, stride, at.y + 1 < w->out_h,
                       at.x + 1 < w->out_w, end - v);
        }
    }
}

/* Divides the scratch; false if not even a kernel's rows of tiles fit. */
static bool divide_scratch(struct winograd *w)
{
    uintptr_t at = ((uintptr_t)w->call->scratch + 63) & ~(uintptr_t)63;
    size_t skipped = (size_t)(at - (uintptr_t)w->call->scratch);
    if (w->call->scratch == NULL || w->call->scratch_length < skipped)
        return false;
    size_t floats = (w->call->scratch_length - skipped) / sizeof(float);
    size_t depth = w->channels < DEPTH ? w->channels : DEPTH;
    w->times = (w->channels + DEPTH - 1) / DEPTH;
    w->weights_step = 2 * (1 + depth) * PANEL + LINE;
    size_t fixed = POINTS * (w->weights_step + LINE + w->times * LINE);
    size_t each = POINTS * (w->channels + w->times * WIDTH);
    size_t least = w->tiles < SZ_X86_ROWS_F32 ? w->tiles : SZ_X86_ROWS_F32;
    if (floats < fixed || (floats - fixed) / each < least)
        return false;
    /* About equally many tiles at a time: few would not pay for the weights. */
    size_t blocks = (w->tiles + (floats - fixed) / each - 1) / ((floats - fixed) / each);
    w->block = (w->tiles + blocks - 1) / blocks;
    w->inputs_step = w->block * w->channels + LINE;
    w->sums_step = w->block * WIDTH + LINE;
    w->weights = (float *)(void *)((uint8_t *)w->call->scratch + skipped);
    w->inputs = w->weights + POINTS * w->weights_step;
    w->sums = w->inputs + POINTS * w->inputs_step;
    return true;
}

static bool start(struct winograd *w, const struct sz_call *call, sz_panel_kernel multiply)
{
    const int32_t *ints = call->op->ints;
    const uint32_t *in = call->in[0].record->dims, *out = call->out->dims,
                   *weights = call->in[1].record->dims;
    if (weights[1] != 3 || weights[2] != 3 || ints[SZ_STRIDE_H] != 1 || ints[SZ_STRIDE_W] != 1 ||
        ints[SZ_DILATION_H] != 1 || ints[SZ_DILATION_W] != 1 || in[3] % PANEL != 0)
        return false;
    *w = (struct winograd){
        .call = call,
        .multiply = multiply,
        .in_h = (int32_t)in[1],
        .in_w = (int32_t)in[2],
        .out_h = (int32_t)out[1],
        .out_w = (int32_t)out[2],
        .channels = in[3],
        .outputs = weights[0],
        .tiles_h = ((size_t)out[1] + 1) / 2,
        .tiles_w = ((size_t)out[2] + 1) / 2,
    };
    w->tiles = out[0] * w->tiles_h * w->tiles_w;
    return w->tiles >= SZ_X86_WINOGRAD_TILES && divide_scratch(w);
}

/* Two panels, or the last one, for the tiles in w->inputs. */
static void multiply_tiles(const struct winograd *w, size_t tiles, size_t panels, const uint8_t *packed,
                           size_t packed_bytes)
{
    for (size_t i = 0; i < w->times; i++) {
        size_t first = i * DEPTH;
        size_t depth = w->channels - first < DEPTH ? w->channels - first : DEPTH;
        for (size_t p = 0; p < panels; p++)
            transform_panel(w, (const float *)(const void *)(packed + p * packed_bytes), first, depth,
                            w->weights + p * (1 + depth) * PANEL);
        multiply_points(w, tiles, panels, first, depth, w->sums + i * POINTS * w->sums_step);
    }
}

static bool convolve(const struct sz_call *call, sz_panel_kernel multiply)
{
    struct winograd w;
    if (!start(&w, call, multiply))
        return false;
    size_t packed_bytes = (1 + 9 * w.channels) * PANEL * sizeof(float);
    for (size_t first = 0; first < w.tiles; first += w.block) {
        size_t tiles = w.tiles - first < w.block ? w.tiles - first : w.block;
        const uint8_t *packed = call->in[1].data;
        for (size_t t = 0; t < tiles; t++)
            transform_tile(&w, first + t, w.inputs + t * w.channels);
        for (size_t c = 0; c < w.outputs; c += WIDTH, packed += 2 * packed_bytes) {
            multiply_tiles(&w, tiles, w.outputs - c > PANEL ? 2 : 1, packed, packed_bytes);
            store_tiles(&w, first, tiles, c, packed, packed_bytes);
        }
    }
    return true;
}
