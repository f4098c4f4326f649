/* The int8 kernels of x86, each width by itself, against plain C, bit for bit: random shapes, unaligned rows
 * and any scales, in memory that ends or begins at a page without access. Usage: engine_kernels_i8_test [jobs
 * of each kind] */
#include "tinylib/reference/kernels.h"
#include "tinylib/x86/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)

#define UNTOUCHED 0x55
#define COLUMNS ((size_t)SZ_X86_COLUMNS_I8)
#define BLOCK ((size_t)SZ_X86_CHANNELS_I8)
#define TAP_ROWS ((size_t)SZ_X86_TAP_ROWS_I8)

static uint64_t state = 1;

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

/* Between two pages that must not be touched. */
struct guarded {
    uint8_t *map, *at;
    size_t length, mapped;
};

/* At the end of its pages, less than `alignment` before it, or at their beginning. */
static struct guarded guarded_new(size_t length, size_t alignment)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (length + page - 1) / page * page;
    struct guarded g = {.length = length, .mapped = inner + 2 * page};
    g.map = mmap(NULL, g.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || mprotect(g.map + page, inner, PROT_READ | PROT_WRITE) != 0) {
        perror("mmap");
        exit(1);
    }
    g.at = g.map + page + (below(4) == 0 ? 0 : (inner - length) / alignment * alignment);
    memset(g.at, UNTOUCHED, length);
    return g;
}

static void guarded_free(struct guarded *g)
{
    munmap(g->map, g->mapped);
}

/* All values, few, or the extremes in long runs, where sums of pairs of products would not fit 16 bits. */
static void fill_i8(uint8_t *values, size_t n)
{
    size_t kind = below(4);
    for (size_t i = 0; i < n; i++) {
        if (kind == 0)
            values[i] = below(2) == 0 ? 0x80 : 0x7f;
        else if (kind == 1)
            values[i] = (uint8_t)(below(11) - 5);
        else
            values[i] = (uint8_t)next_random();
    }
}

static int8_t weight_of(size_t kind)
{
    if (kind == 0)
        return -128;
    return kind == 1 ? 127 : (int8_t)next_random();
}

/* Most sums come out between the bounds. Kernels may treat scales below 1 differently, so half of the jobs
 * have no others.
 */
static float some_scale(size_t taps, bool is_tame)
{
    static const float odd[] = {NAN, -NAN, INFINITY, -INFINITY, 1.0f, -1.0f, 3e38f, -3e38f};
    static const float small[] = {0.0f, -0.0f, 1e-45f, 0x1.fffffep-1f, -0x1.fffffep-1f};
    if (!is_tame && below(8) == 0)
        return odd[below(sizeof(odd) / sizeof(odd[0]))];
    if (below(8) == 0)
        return small[below(sizeof(small) / sizeof(small[0]))];
    float scale = (float)between(1, 4000) / 4e7f / sqrtf((float)taps);
    return below(16) == 0 ? -scale : scale;
}

static int32_t some_bias(void)
{
    return (int32_t)next_random() >> between(0, 31);
}

static struct sz_bounds some_bounds(void)
{
    int32_t a = (int32_t)below(256) - 128, b = (int32_t)below(256) - 128;
    if (below(2) == 0)
        return (struct sz_bounds){-128, 127};
    return (struct sz_bounds){a < b ? a : b, a < b ? b : a};
}

static void fail(const char *name, const char *what, const char *shape, size_t row, size_t column, int found,
                 int expected)
{
    fprintf(stderr, "%s: %s, %s: %d at %zu, %zu instead of %d\n", name, what, shape, found, row, column,
            expected);
    exit(1);
}

static int32_t dot(const int8_t *x, const uint8_t *panel, size_t c, size_t depth)
{
    int32_t sum = 0;
    for (size_t k = 0; k < depth; k++) {
        int8_t w = (int8_t)panel[8 * COLUMNS + (k / 4 * COLUMNS + c) * 4 + k % 4];
        sum = sz_add_wrapping(sum, (x[k] + SZ_X86_INPUT_OFFSET) * w);
    }
    return sum;
}

static void test_panels(const char *name, sz_panel_kernel kernel)
{
    size_t rows = between(1, SZ_X86_ROWS_I8), columns = between(1, SZ_X86_PANELS_I8 * COLUMNS);
    size_t depth = SZ_X86_STEP_I8 * between(1, below(10) == 0 ? 300 : 20);
    size_t a_stride = depth + below(3), y_stride = columns + below(70);
    size_t panels = (columns + COLUMNS - 1) / COLUMNS, panel_bytes = COLUMNS * (8 + depth);
    struct guarded a = guarded_new((rows - 1) * a_stride + depth, 1);
    struct guarded b = guarded_new(panels * panel_bytes, 16);
    struct guarded y = guarded_new((rows - 1) * y_stride + columns, 1);
    int32_t terms[SZ_X86_ROWS_I8];
    struct sz_panel_job job = {
        .a = a.at,
        .a_stride = a_stride,
        .rows = rows,
        .b = b.at,
        .panel_bytes = panel_bytes,
        .depth = depth,
        .columns = columns,
        .y = y.at,
        .y_stride = y_stride,
        .row_terms = below(2) == 0 ? terms : NULL,
        .zero_y = (int32_t)below(256) - 128,
        .bounds = some_bounds(),
    };
    char shape[120];
    snprintf(shape, sizeof(shape), "%zu rows, depth %zu, %zu columns", rows, depth, columns);
    bool is_tame = below(2) == 0;
    fill_i8(a.at, a.length);
    for (size_t r = 0; r < rows; r++)
        terms[r] = some_bias();
    for (size_t c = 0; c < panels * COLUMNS; c++) {
        uint8_t *panel = b.at + c / COLUMNS * panel_bytes;
        int32_t bias = some_bias();
        float scale = some_scale(depth, is_tame);
        size_t kind = below(8);
        memcpy(panel + 4 * (c % COLUMNS), &bias, 4);
        memcpy(panel + 4 * (COLUMNS + c % COLUMNS), &scale, 4);
        for (size_t k = 0; k < depth; k++)
            panel[8 * COLUMNS + (k / 4 * COLUMNS + c % COLUMNS) * 4 + k % 4] = (uint8_t)weight_of(kind);
    }
    kernel(&job);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < y_stride && r * y_stride + c < y.length; c++) {
            int found = (int8_t)y.at[r * y_stride + c], expected = UNTOUCHED;
            if (c < columns) {
                const uint8_t *panel = b.at + c / COLUMNS * panel_bytes;
                int32_t sum = dot((const int8_t *)a.at + r * a_stride, panel, c % COLUMNS, depth), bias;
                float scale;
                memcpy(&bias, panel + 4 * (c % COLUMNS), 4);
                memcpy(&scale, panel + 4 * (COLUMNS + c % COLUMNS), 4);
                sum = sz_add_wrapping(sz_add_wrapping(sum, bias), job.row_terms == NULL ? 0 : terms[r]);
                expected = sz_requantise(sum, scale, job.zero_y, job.bounds);
            }
            if (found != expected)
                fail(name, "panels", shape, r, c, found, expected);
        }
    }
    guarded_free(&a);
    guarded_free(&b);
    guarded_free(&y);
}

/* The weight of row i, column j and channel c in its block (kernels_i8.h). */
static uint8_t *tap(const struct sz_depthwise_job *job, uint8_t *block, size_t i, size_t j, size_t c)
{
    size_t groups = (job->window_h + TAP_ROWS - 1) / TAP_ROWS;
    size_t lane = c / 16 * 4 + c % 4, vector = c / 4 % 4;
    return block + 8 * BLOCK + (((j * groups + i / TAP_ROWS) * 4 + vector) * 16 + lane) * 4 + i % TAP_ROWS;
}

static int expected_depthwise(const struct sz_depthwise_job *job, uint8_t *block, size_t p, size_t c)
{
    int32_t sum;
    float scale;
    memcpy(&sum, block + 4 * (c % BLOCK), 4);
    memcpy(&scale, block + 4 * (BLOCK + c % BLOCK), 4);
    for (size_t i = 0; i < job->window_h; i++) {
        for (size_t j = 0; j < job->window_w; j++) {
            size_t pixel = p * job->stride + j * job->dilation;
            int32_t u = ((const int8_t *)job->rows[i])[pixel * job->channels + c] + SZ_X86_INPUT_OFFSET;
            sum = sz_add_wrapping(sum, u * ((int8_t)*tap(job, block, i, j, c % BLOCK) - job->zero_w));
        }
    }
    return sz_requantise(sum, scale, job->zero_y, job->bounds);
}

static struct sz_depthwise_job some_depthwise(void)
{
    bool is_3x3 = below(3) != 0;
    struct sz_depthwise_job job = {
        .window_h = is_3x3 ? 3 : between(1, below(4) == 0 ? SZ_MAX_DEPTHWISE_WINDOW : 6),
        .window_w = is_3x3 ? 3 : between(1, 6),
        .stride = between(1, is_3x3 ? 2 : 4),
        .dilation = is_3x3 ? 1 : between(1, 3),
        .channels = below(2) == 0 ? between(1, 220) : 16 * between(1, 10),
        .pixels = between(1, below(2) == 0 ? 20 : 5),
        .zero_w = below(3) != 0 ? 0 : (int32_t)below(256) - 128,
        .zero_y = (int32_t)below(256) - 128,
        .bounds = some_bounds(),
    };
    return job;
}

static void test_depthwise(const char *name, sz_depthwise_kernel kernel)
{
    struct sz_depthwise_job job = some_depthwise();
    size_t in_pixels = (job.pixels - 1) * job.stride + (job.window_w - 1) * job.dilation + 1;
    size_t taps = (job.window_h + TAP_ROWS - 1) / TAP_ROWS * TAP_ROWS * job.window_w;
    size_t block_bytes = BLOCK * (8 + taps), blocks = (job.channels + BLOCK - 1) / BLOCK;
    struct guarded x[SZ_MAX_DEPTHWISE_WINDOW], w = guarded_new(blocks * block_bytes, 16);
    struct guarded y = guarded_new(job.pixels * job.channels, 1);
    char shape[160];
    snprintf(shape, sizeof(shape), "%zux%zu, stride %zu, dilation %zu, %zu channels, %zu pixels, zero_w %d",
             job.window_h, job.window_w, job.stride, job.dilation, job.channels, job.pixels, (int)job.zero_w);
    for (size_t i = 0; i < job.window_h; i++) {
        x[i] = guarded_new(in_pixels * job.channels, 1);
        fill_i8(x[i].at, x[i].length);
        job.rows[i] = x[i].at;
    }
    bool is_tame = below(2) == 0;
    memset(w.at, 0, w.length);
    for (size_t c = 0; c < job.channels; c++) {
        uint8_t *block = w.at + c / BLOCK * block_bytes;
        int32_t bias = some_bias();
        float scale = some_scale(job.window_h * job.window_w, is_tame);
        size_t kind = below(8);
        memcpy(block + 4 * (c % BLOCK), &bias, 4);
        memcpy(block + 4 * (BLOCK + c % BLOCK), &scale, 4);
        for (size_t i = 0; i < job.window_h; i++)
            for (size_t j = 0; j < job.window_w; j++)
                *tap(&job, block, i, j, c % BLOCK) = (uint8_t)weight_of(kind);
    }
    job.w = w.at;
    job.y = y.at;
    kernel(&job);
    for (size_t p = 0; p < job.pixels; p++) {
        for (size_t c = 0; c < job.channels; c++) {
            int found = (int8_t)y.at[p * job.channels + c];
            int expected = expected_depthwise(&job, w.at + c / BLOCK * block_bytes, p, c);
            if (found != expected)
                fail(name, "depthwise", shape, p, c, found, expected);
        }
    }
    for (size_t i = 0; i < job.window_h; i++)
        guarded_free(&x[i]);
    guarded_free(&w);
    guarded_free(&y);
}

static void test_activation(const char *name, sz_kernel kernel)
{
    size_t n = between(1, 300);
    struct guarded x = guarded_new(n, 1), y = guarded_new(n, 1);
    uint8_t expected[300];
    struct sz_tensor_record in = {.dtype = SZ_I8,
                                  .rank = 1,
                                  .dims = {(uint32_t)n, 1, 1, 1},
                                  .scale = 0.02f,
                                  .zero_point = (int32_t)below(256) - 128};
    struct sz_tensor_record out = in;
    struct sz_op_record op = {.code = SZ_OP_LEAKY_RELU, .floats = {(float)between(0, 100) / 64}};
    struct sz_call call = {.op = &op, .in = {{&in, x.at}}, .out = &out, .y = expected};
    out.scale = (float)between(1, 100) / 2000;
    out.zero_point = (int32_t)below(256) - 128;
    for (size_t i = 0; i < n; i++)
        x.at[i] = (uint8_t)next_random();
    sz_ref_activation_i8(&call);
    call.y = below(2) == 0 ? y.at : x.at;
    kernel(&call);
    for (size_t i = 0; i < n; i++)
        if (((uint8_t *)call.y)[i] != expected[i])
            fail(name, "activation", "one row", 0, i, ((int8_t *)call.y)[i], (int8_t)expected[i]);
    guarded_free(&x);
    guarded_free(&y);
}

static void test_width(const char *name, enum sz_x86_level level, const struct sz_target_kernels *kernels,
                       long jobs)
{
    if (sz_x86_level_here() < level) {
        printf("int8 kernels, %s: skipped, this processor has none of it\n", name);
        return;
    }
    for (long i = 0; i < jobs; i++) {
        test_panels(name, kernels->panels_i8);
        test_depthwise(name, kernels->depthwise_i8);
        test_activation(name, kernels->plain.i8[SZ_OP_LEAKY_RELU]);
    }
    printf("int8 kernels, %s: %ld jobs of each kind ok\n", name, jobs);
}

int main(int argc, char **argv)
{
    long jobs = argc > 1 ? strtol(argv[1], NULL, 10) : 4000;
    test_width("AVX2", SZ_X86_AVX2, &sz_x86_avx2_kernels, jobs);
    test_width("AVX-512", SZ_X86_AVX512, &sz_x86_avx512_kernels, jobs);
    test_width("AVX-512 with VBMI", SZ_X86_VBMI, &sz_x86_vbmi_kernels, jobs);
    return 0;
}

#else

int main(void)
{
    printf("int8 kernels of x86: skipped on another architecture\n");
    return 0;
}

#endif
