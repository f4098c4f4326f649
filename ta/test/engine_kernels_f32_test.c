/* The float32 kernels of x86, each width by itself, against sums in double: random shapes, unaligned rows, in
 * memory that ends at a page without access. */
#include "tinylib/x86/kernels_f32.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)

#define ROUNDS 4000
#define TOLERANCE 1e-5

static uint64_t state = 1;

static uint32_t random_below(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static uint32_t random_between(uint32_t low, uint32_t high)
{
    return low + random_below(high - low + 1);
}

static float random_value(void)
{
    return (float)random_below(2001) / 1000.0f - 1.0f;
}

/* Memory whose last byte is followed by a page that must not be touched. */
struct guarded {
    uint8_t *map, *at;
    size_t length, mapped;
};

static struct guarded guarded_new(size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct guarded g = {.length = length, .mapped = (length + page - 1) / page * page + page};
    g.map = mmap(NULL, g.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || mprotect(g.map + g.mapped - page, page, PROT_NONE) != 0) {
        perror("mmap");
        exit(1);
    }
    g.at = g.map + g.mapped - page - length;
    return g;
}

static float *guarded_floats(struct guarded *g, size_t n)
{
    *g = guarded_new(n * sizeof(float));
    float *values = (float *)(void *)g->at;
    for (size_t i = 0; i < n; i++)
        values[i] = random_value();
    return values;
}

static void guarded_free(struct guarded *g)
{
    munmap(g->map, g->mapped);
}

static void check(double expected, double magnitude, float low, float high, float found, const char *what)
{
    expected = expected > (double)low ? expected : (double)low;
    expected = expected < (double)high ? expected : (double)high;
    if (fabs(expected - (double)found) <= TOLERANCE * (1 + magnitude))
        return;
    fprintf(stderr, "%s: %.9g instead of %.9g\n", what, (double)found, expected);
    exit(1);
}

static void random_range(float *low, float *high)
{
    bool bounded = random_below(2) == 0;
    *low = bounded ? -0.5f : -INFINITY;
    *high = bounded ? 0.75f : INFINITY;
}

static void test_panels(sz_panel_kernel kernel)
{
    size_t rows = random_between(1, SZ_X86_ROWS_F32);
    size_t columns = random_between(1, SZ_X86_PANELS_F32 * SZ_X86_COLUMNS_F32);
    size_t depth = random_between(1, random_below(10) == 0 ? 600 : 40);
    size_t a_stride = depth + random_below(3);
    size_t y_stride = columns + random_below(20);
    size_t panels = (columns + SZ_X86_COLUMNS_F32 - 1) / SZ_X86_COLUMNS_F32;
    size_t panel = (1 + depth) * SZ_X86_COLUMNS_F32;
    size_t y_length = (rows - 1) * y_stride + columns;
    struct guarded ga, gb, gy;
    float *a = guarded_floats(&ga, (rows - 1) * a_stride + depth);
    float *b = guarded_floats(&gb, panels * panel);
    float *y = guarded_floats(&gy, y_length);
    for (size_t i = 0; i < y_length; i++)
        y[i] = 12345.0f;
    struct sz_panel_job job = {
        .a = a,
        .a_stride = a_stride * sizeof(float),
        .rows = rows,
        .b = gb.at,
        .panel_bytes = panel * sizeof(float),
        .depth = depth,
        .columns = columns,
        .y = y,
        .y_stride = y_stride * sizeof(float),
    };
    random_range(&job.low, &job.high);
    kernel(&job);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            const float *w = b + c / SZ_X86_COLUMNS_F32 * panel + c % SZ_X86_COLUMNS_F32;
            double sum = (double)w[0], magnitude = fabs(sum);
            for (size_t k = 0; k < depth; k++) {
                double product = (double)a[r * a_stride + k] * (double)w[(k + 1) * SZ_X86_COLUMNS_F32];
                sum += product;
                magnitude += fabs(product);
            }
            check(sum, magnitude, job.low, job.high, y[r * y_stride + c], "panels");
        }
        for (size_t c = columns; c < y_stride && r * y_stride + c < y_length; c++)
            check(12345.0, 0, 0, INFINITY, y[r * y_stride + c], "panels: written behind the columns");
    }
    guarded_free(&ga);
    guarded_free(&gb);
    guarded_free(&gy);
}

static void test_depthwise(sz_depthwise_kernel kernel)
{
    bool is_3x3 = random_below(3) != 0;
    struct sz_depthwise_job job = {
        .window_h = is_3x3 ? 3 : random_between(1, 6),
        .window_w = is_3x3 ? 3 : random_between(1, 6),
        .stride = random_between(1, is_3x3 ? 2 : 4),
        .dilation = is_3x3 ? 1 : random_between(1, 3),
        .channels = random_between(1, random_below(4) == 0 ? 150 : 40),
        .pixels = random_between(1, 20),
    };
    size_t in_pixels = (job.pixels - 1) * job.stride + (job.window_w - 1) * job.dilation + 1;
    size_t block = (1 + job.window_h * job.window_w) * SZ_X86_CHANNELS_F32;
    struct guarded gx[SZ_MAX_DEPTHWISE_WINDOW], gw, gy;
    float *w = guarded_floats(&gw, (job.channels + SZ_X86_CHANNELS_F32 - 1) / SZ_X86_CHANNELS_F32 * block);
    float *y = guarded_floats(&gy, job.pixels * job.channels);
    for (size_t i = 0; i < job.window_h; i++)
        job.rows[i] = guarded_floats(&gx[i], in_pixels * job.channels);
    job.w = gw.at;
    job.y = y;
    random_range(&job.low, &job.high);
    kernel(&job);
    for (size_t p = 0; p < job.pixels; p++) {
        for (size_t c = 0; c < job.channels; c++) {
            const float *at = w + c / SZ_X86_CHANNELS_F32 * block + c % SZ_X86_CHANNELS_F32;
            double sum = (double)at[0], magnitude = fabs(sum);
            for (size_t i = 0; i < job.window_h; i++) {
                for (size_t j = 0; j < job.window_w; j++) {
                    at += SZ_X86_CHANNELS_F32;
                    size_t pixel = p * job.stride + j * job.dilation;
                    double product =
                        (double)*at * (double)((const float *)job.rows[i])[pixel * job.channels + c];
                    sum += product;
                    magnitude += fabs(product);
                }
            }
            check(sum, magnitude, job.low, job.high, y[p * job.channels + c], "depthwise");
        }
    }
    for (size_t i = 0; i < job.window_h; i++)
        guarded_free(&gx[i]);
    guarded_free(&gw);
    guarded_free(&gy);
}

/* NaN and infinities in all places: no undefined behaviour, and results inside the activation's range. */
static void test_not_numbers(sz_panel_kernel panels, sz_depthwise_kernel depthwise)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, 3e38f};
    float x[9 * 20], w[10 * 16], y[16];
    for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++)
        x[i] = values[random_below(4)];
    for (size_t i = 0; i < sizeof(w) / sizeof(w[0]); i++)
        w[i] = values[random_below(4)];
    struct sz_panel_job panel_job = {
        .a = x, .rows = 1, .b = (const uint8_t *)w, .depth = 9, .columns = 16, .y = y, .low = 0, .high = 6};
    panels(&panel_job);
    for (size_t c = 0; c < 16; c++)
        if (!(y[c] >= 0 && y[c] <= 6))
            exit((fprintf(stderr, "panels: %g is out of range\n", (double)y[c]), 1));
    struct sz_depthwise_job job = {.rows = {x, x, x},
                                   .window_h = 3,
                                   .window_w = 3,
                                   .stride = 1,
                                   .dilation = 1,
                                   .channels = 16,
                                   .pixels = 1,
                                   .w = (const uint8_t *)w,
                                   .y = y,
                                   .low = 0,
                                   .high = 6};
    depthwise(&job);
    for (size_t c = 0; c < 16; c++)
        if (!(y[c] >= 0 && y[c] <= 6))
            exit((fprintf(stderr, "depthwise: %g is out of range\n", (double)y[c]), 1));
}

static void test_width(const char *name, bool is_there, sz_panel_kernel panels, sz_depthwise_kernel depthwise)
{
    if (!is_there) {
        printf("float32 kernels, %s: skipped, this processor has none of it\n", name);
        return;
    }
    for (int i = 0; i < ROUNDS; i++) {
        test_panels(panels);
        test_depthwise(depthwise);
        test_not_numbers(panels, depthwise);
    }
    printf("float32 kernels, %s: ok\n", name);
}

int main(void)
{
    test_width("AVX2", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
               sz_x86_avx2_panels_f32, sz_x86_avx2_depthwise_f32);
    test_width("AVX-512", __builtin_cpu_supports("avx512f"), sz_x86_avx512_panels_f32,
               sz_x86_avx512_depthwise_f32);
    return 0;
}

#else

int main(void)
{
    printf("float32 kernels of x86: skipped on another architecture\n");
    return 0;
}

#endif
