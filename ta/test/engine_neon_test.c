/*
 * The kernels for aarch64, called directly, against plain C: random jobs in buffers that end or begin at a
 * page that must not be touched. Empty elsewhere. Usage: engine_neon_test [jobs of each kind]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tinylib/target.h"

#if defined(__aarch64__)

#define PAGE ((size_t)65536) /* no aarch64 kernel has larger ones */

static uint64_t state = 0x9e3779b97f4a7c15u;

static uint32_t next_random(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

static size_t below(size_t limit)
{
    return next_random() % limit;
}

static size_t between(size_t low, size_t high)
{
    return low + below(high - low + 1);
}

struct guarded {
    uint8_t *map;
    size_t length;
    uint8_t *bytes;
};

/* `alignment`: of the buffer's beginning; it ends as near to the guard page as that allows, or begins behind
 * one. */
static struct guarded guarded_new(size_t bytes, size_t alignment)
{
    struct guarded g;
    size_t inner = (bytes + PAGE - 1) / PAGE * PAGE;
    g.length = inner + 2 * PAGE;
    g.map = mmap(NULL, g.length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || mprotect(g.map + PAGE, inner, PROT_READ | PROT_WRITE) != 0)
        exit(2);
    g.bytes = g.map + PAGE;
    if (below(4) != 0)
        g.bytes += (inner - bytes) / alignment * alignment;
    return g;
}

static void guarded_free(struct guarded *g)
{
    munmap(g->map, g->length);
}

/* Where a panel's kernel expects the weight of depth k and column c: the counterpart of neon.ts. */
static size_t panel_index(bool is_i8, size_t k, size_t c, size_t depth)
{
    size_t columns =
        is_i8 ? sz_native_kernels()->packing_i8.columns : sz_native_kernels()->packing_f32.columns;
    if (!is_i8)
        return k * columns + c;
#if defined(__ARM_FEATURE_DOTPROD)
    (void)depth;
    return (k / 4 * columns + c) * 4 + k % 4;
#else
    size_t whole = depth / 16 * 16;
    return k < whole ? k / 16 * 64 + c * 16 + k % 16 : whole * 4 + c * 8 + (k - whole);
#endif
}

static int8_t some_i8(int mode)
{
    if (mode == 0 || (mode == 2 && below(3) != 0))
        return -128;
    if (mode == 1)
        return (int8_t)(below(255) - 127);
    return (int8_t)next_random();
}

static float some_f32(void)
{
    return (float)((double)next_random() / 4294967296.0 * 2 - 1);
}

static float some_scale(void)
{
    switch (below(40)) {
    case 0:
        return NAN;
    case 1:
        return INFINITY;
    case 2:
        return 0.0f;
    case 3:
        return 1e30f;
    default:
        return ldexpf(1.0f + some_f32() / 2, -(int)between(4, 18));
    }
}

static struct sz_bounds some_bounds(void)
{
    int32_t a = (int32_t)below(256) - 128, b = (int32_t)below(256) - 128;
    if (below(2) == 0)
        return (struct sz_bounds){-128, 127};
    return (struct sz_bounds){a < b ? a : b, a < b ? b : a};
}

static void put(uint8_t *to, const void *from)
{
    memcpy(to, from, 4);
}

static int failures;

static void fail(const char *what, const char *text)
{
    if (failures++ < 20)
        printf("FAIL %s: %s\n", what, text);
}

/* The sign of a panel's first scale says that two of its weights, eight apart, are -128 (panels_i8.c). */
static void mark_panel(uint8_t *panel, size_t depth)
{
#if !defined(__ARM_FEATURE_DOTPROD)
    const int8_t *w = (const int8_t *)panel + 32;
    for (size_t i = 0; i < depth / 16 * 64; i++)
        if (i % 16 < 8 && w[i] == -128 && w[i + 8] == -128)
            panel[16 + 3] |= 0x80;
#else
    (void)panel;
    (void)depth;
#endif
}

static void test_panels_i8(void)
{
    const struct sz_packing *p = &sz_native_kernels()->packing_i8;
    size_t rows = between(1, p->rows), columns = between(1, (size_t)p->panels * p->columns);
    size_t depth = p->depth_step * between(1, below(8) == 0 ? 100 : 12);
    size_t a_stride = depth + below(3), y_stride = columns + below(9);
    size_t panels = (columns + p->columns - 1) / p->columns, panel_bytes = p->columns * (8 + depth);
    struct guarded a = guarded_new((rows - 1) * a_stride + depth, 1);
    struct guarded b = guarded_new(panels * panel_bytes, 16);
    struct guarded y = guarded_new((rows - 1) * y_stride + columns, below(2) == 0 ? 1 : 16);
    int8_t *w = malloc(depth * columns);
    int32_t terms[64], bias[256];
    float scale[256];
    int a_mode = (int)below(5), w_mode = (int)below(5);
    struct sz_panel_job job = {
        .a = a.bytes,
        .a_stride = a_stride,
        .rows = rows,
        .b = b.bytes,
        .panel_bytes = panel_bytes,
        .depth = depth,
        .columns = columns,
        .y = y.bytes,
        .y_stride = y_stride,
        .row_terms = below(2) == 0 ? terms : NULL,
        .zero_y = (int32_t)below(256) - 128,
        .bounds = some_bounds(),
    };
    memset(b.bytes, 0, panels * panel_bytes);
    memset(y.bytes, 0x55, (rows - 1) * y_stride + columns);
    for (size_t i = 0; i < (rows - 1) * a_stride + depth; i++)
        a.bytes[i] = (uint8_t)some_i8(a_mode);
    for (size_t r = 0; r < rows; r++)
        terms[r] = (int32_t)next_random() >> 8;
    for (size_t c = 0; c < columns; c++) {
        uint8_t *panel = b.bytes + c / p->columns * panel_bytes;
        bias[c] = (int32_t)next_random() >> below(32);
        scale[c] = some_scale();
        put(panel + c % p->columns * 4, &bias[c]);
        put(panel + (p->columns + c % p->columns) * 4, &scale[c]);
        for (size_t k = 0; k < depth; k++) {
            w[c * depth + k] = some_i8(w_mode);
            panel[p->columns * 8 + panel_index(true, k, c % p->columns, depth)] = (uint8_t)w[c * depth + k];
        }
    }
    for (size_t i = 0; i < panels; i++)
        mark_panel(b.bytes + i * panel_bytes, depth);
    sz_native_kernels()->panels_i8(&job);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < y_stride && r * y_stride + c < (rows - 1) * y_stride + columns; c++) {
            int8_t got = (int8_t)y.bytes[r * y_stride + c], want = 0x55;
            if (c < columns) {
                int32_t sum = sz_add_wrapping(bias[c], job.row_terms != NULL ? terms[r] : 0);
                for (size_t k = 0; k < depth; k++)
                    sum = sz_add_wrapping(sum, (int8_t)a.bytes[r * a_stride + k] * w[c * depth + k]);
                want = sz_requantise(sum, scale[c], job.zero_y, job.bounds);
            }
            if (got != want) {
                char text[120];
                snprintf(text, sizeof(text), "rows %zu columns %zu depth %zu at %zu,%zu: %d, not %d", rows,
                         columns, depth, r, c, got, want);
                fail("panels_i8", text);
            }
        }
    }
    free(w);
    guarded_free(&a);
    guarded_free(&b);
    guarded_free(&y);
}

static float clamped(double value, float low, float high)
{
    return value < low ? low : value > high ? high : (float)value;
}

static void test_panels_f32(void)
{
    const struct sz_packing *p = &sz_native_kernels()->packing_f32;
    size_t rows = between(1, p->rows), columns = between(1, (size_t)p->panels * p->columns);
    size_t depth = p->depth_step * between(1, 30);
    size_t a_stride = depth + below(3), y_stride = columns + below(9);
    size_t panels = (columns + p->columns - 1) / p->columns, panel_bytes = p->columns * (4 + 4 * depth);
    struct guarded a = guarded_new(((rows - 1) * a_stride + depth) * 4, 4);
    struct guarded b = guarded_new(panels * panel_bytes, 16);
    struct guarded y = guarded_new(((rows - 1) * y_stride + columns) * 4, 4);
    float *w = malloc(depth * columns * sizeof(*w)), bias[256], *x = (void *)a.bytes, *out = (void *)y.bytes;
    struct sz_panel_job job = {
        .a = a.bytes,
        .a_stride = a_stride * 4,
        .rows = rows,
        .b = b.bytes,
        .panel_bytes = panel_bytes,
        .depth = depth,
        .columns = columns,
        .y = y.bytes,
        .y_stride = y_stride * 4,
        .low = below(2) == 0 ? -INFINITY : 0.0f,
        .high = below(2) == 0 ? INFINITY : 0.75f,
    };
    memset(b.bytes, 0, panels * panel_bytes);
    for (size_t i = 0; i < (rows - 1) * y_stride + columns; i++)
        out[i] = 77.0f;
    for (size_t i = 0; i < (rows - 1) * a_stride + depth; i++)
        x[i] = some_f32();
    for (size_t c = 0; c < columns; c++) {
        uint8_t *panel = b.bytes + c / p->columns * panel_bytes;
        bias[c] = some_f32();
        put(panel + c % p->columns * 4, &bias[c]);
        for (size_t k = 0; k < depth; k++) {
            w[c * depth + k] = some_f32();
            put(panel + 4 * (p->columns + panel_index(false, k, c % p->columns, depth)), &w[c * depth + k]);
        }
    }
    sz_native_kernels()->panels_f32(&job);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < y_stride && r * y_stride + c < (rows - 1) * y_stride + columns; c++) {
            double sum = bias[c < columns ? c : 0], size = 1e-3 + fabs(sum);
            for (size_t k = 0; c < columns && k < depth; k++) {
                sum += (double)x[r * a_stride + k] * w[c * depth + k];
                size += fabs((double)x[r * a_stride + k] * w[c * depth + k]);
            }
            float want = c < columns ? clamped(sum, job.low, job.high) : 77.0f;
            if (!(fabs((double)out[r * y_stride + c] - want) <= 1e-6 * size)) {
                char text[120];
                snprintf(text, sizeof(text), "rows %zu columns %zu depth %zu at %zu,%zu: %g, not %g", rows,
                         columns, depth, r, c, (double)out[r * y_stride + c], (double)want);
                fail("panels_f32", text);
            }
        }
    }
    free(w);
    guarded_free(&a);
    guarded_free(&b);
    guarded_free(&y);
}

/* Both types: values as doubles tell them apart well enough. */
static void test_depthwise(bool is_i8)
{
    const struct sz_packing *p = is_i8 ? &sz_native_kernels()->packing_i8 : &sz_native_kernels()->packing_f32;
    size_t size = is_i8 ? 1 : 4, block_head = p->channels * (is_i8 ? 8u : 4u);
    bool common = below(3) != 0;
    size_t channels = below(2) == 0 ? 8 * between(1, 6) : between(1, 40);
    struct sz_depthwise_job job = {
        .window_h = common ? 3 : between(1, 6),
        .window_w = common ? 3 : between(1, 6),
        .stride = common ? between(1, 2) : between(1, 4),
        .dilation = common ? 1 : between(1, 3),
        .channels = channels,
        .pixels = between(1, 11),
        .zero_w = below(2) == 0 ? 0 : (int32_t)below(256) - 128,
        .zero_y = (int32_t)below(256) - 128,
        .bounds = some_bounds(),
        .low = below(2) == 0 ? -INFINITY : 0.0f,
        .high = below(2) == 0 ? INFINITY : 0.75f,
    };
    size_t taps = job.window_h * job.window_w, blocks = (channels + p->channels - 1) / p->channels;
    size_t block_bytes = block_head + taps * p->channels * size;
    size_t row = ((job.pixels - 1) * job.stride + (job.window_w - 1) * job.dilation + 1) * channels;
    struct guarded x[SZ_MAX_DEPTHWISE_WINDOW];
    struct guarded w = guarded_new(blocks * block_bytes, 16);
    struct guarded y = guarded_new(job.pixels * channels * size, below(2) == 0 ? size : 16);
    int32_t bias[64];
    float bias_f[64], scale[64];
    int x_mode = (int)below(5), w_mode = (int)below(5);
    for (size_t i = 0; i < job.window_h; i++) {
        x[i] = guarded_new(row * size, size);
        job.rows[i] = x[i].bytes;
        for (size_t k = 0; k < row; k++) {
            float value = some_f32();
            if (is_i8)
                x[i].bytes[k] = (uint8_t)some_i8(x_mode);
            else
                put(x[i].bytes + 4 * k, &value);
        }
    }
    memset(w.bytes, 0, blocks * block_bytes);
    for (size_t c = 0; c < channels; c++) {
        uint8_t *block = w.bytes + c / p->channels * block_bytes;
        bias[c] = (int32_t)next_random() >> below(32);
        bias_f[c] = some_f32();
        scale[c] = some_scale();
        put(block + c % p->channels * 4, is_i8 ? (void *)&bias[c] : (void *)&bias_f[c]);
        if (is_i8)
            put(block + (p->channels + c % p->channels) * 4, &scale[c]);
        for (size_t t = 0; t < taps; t++) {
            uint8_t *at = block + block_head + (t * p->channels + c % p->channels) * size;
            float value = some_f32();
            if (is_i8)
                *at = (uint8_t)some_i8(w_mode);
            else
                put(at, &value);
        }
    }
    job.w = w.bytes;
    job.y = y.bytes;
    (is_i8 ? sz_native_kernels()->depthwise_i8 : sz_native_kernels()->depthwise_f32)(&job);
    for (size_t i = 0; i < job.pixels * channels; i++) {
        size_t c = i % channels;
        const uint8_t *taps_at = w.bytes + c / p->channels * block_bytes + block_head;
        int32_t sum = bias[c];
        double sum_f = bias_f[c];
        for (size_t t = 0; t < taps; t++) {
            size_t at = (i / channels * job.stride + t % job.window_w * job.dilation) * channels + c;
            const uint8_t *x_at = x[t / job.window_w].bytes + at * size;
            const uint8_t *w_at = taps_at + (t * p->channels + c % p->channels) * size;
            float fx, fw;
            if (is_i8) {
                sum = sz_add_wrapping(sum, (int8_t)*x_at * ((int8_t)*w_at - job.zero_w));
            } else {
                memcpy(&fx, x_at, 4);
                memcpy(&fw, w_at, 4);
                sum_f += (double)fx * fw;
            }
        }
        double want =
            is_i8 ? sz_requantise(sum, scale[c], job.zero_y, job.bounds) : clamped(sum_f, job.low, job.high);
        float got_f = 0;
        memcpy(&got_f, y.bytes + i * size, size);
        double got = is_i8 ? (double)(int8_t)y.bytes[i] : (double)got_f;
        if (!(fabs(got - want) <= (is_i8 ? 0 : 2e-5))) {
            char text[160];
            snprintf(text, sizeof(text),
                     "%zux%zu stride %zu dilation %zu channels %zu pixels %zu at %zu: %g, not %g",
                     job.window_h, job.window_w, job.stride, job.dilation, channels, job.pixels, i, got,
                     want);
            fail(is_i8 ? "depthwise_i8" : "depthwise_f32", text);
        }
    }
    for (size_t i = 0; i < job.window_h; i++)
        guarded_free(&x[i]);
    guarded_free(&w);
    guarded_free(&y);
}

int main(int argc, char **argv)
{
    long jobs = argc > 1 ? atol(argv[1]) : 2000;
    for (long i = 0; i < jobs; i++) {
        test_panels_i8();
        test_panels_f32();
        test_depthwise(true);
        test_depthwise(false);
    }
    printf("%s kernels: %ld jobs of each kind, %d failures\n", sz_native_target_name(), jobs, failures);
    return failures == 0 ? 0 : 1;
}

#else
int main(void)
{
    printf("no aarch64: nothing to test\n");
    return 0;
}
#endif
