/* The float32 3 x 3 convolutions of x86 that multiply transformed tiles, against sums in double: random
 * shapes and padding, parts of an output's channels, several pictures, scratch of all sizes, in buffers of
 * exactly their size. */
#include "tinylib/x86/winograd_f32.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

#define ROUNDS 400
#define TOLERANCE 4e-6 /* of the sum of the products' magnitudes */
#define PANEL SZ_X86_COLUMNS_F32

typedef bool (*convolution)(const struct sz_call *call);

static uint64_t state = 1;

static uint32_t random_between(uint32_t low, uint32_t high)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return low + (uint32_t)(state >> 33) % (high - low + 1);
}

static float *random_floats(size_t n)
{
    float *values = malloc(n * sizeof(float));
    for (size_t i = 0; i < n; i++)
        values[i] = (float)random_between(0, 2000) / 1000.0f - 1.0f;
    return values;
}

struct problem {
    struct sz_op_record op;
    struct sz_tensor_record x, w, y;
    float *in, *packed, *out;
    size_t part; /* first output channel */
};

static size_t panel_floats(const struct problem *p)
{
    return (1 + 9 * (size_t)p->x.dims[3]) * PANEL;
}

static struct sz_tensor_record tensor(uint32_t n, uint32_t h, uint32_t w, uint32_t c)
{
    struct sz_tensor_record t = {
        .dtype = SZ_F32, .rank = 4, .dims = {n, h, w, c}, .bytes = n * h * w * c * 4};
    return t;
}

static struct problem random_problem(void)
{
    struct problem p = {.op = {.code = SZ_OP_CONV_2D, .input_count = 2, .output_count = 1}};
    int32_t *ints = p.op.ints;
    uint32_t n = random_between(1, 2), h = random_between(3, 13), w = random_between(3, 13);
    uint32_t c = random_between(1, 3) * 16, outputs = random_between(1, 50), behind = random_between(0, 3);
    if (random_between(0, 9) == 0)
        c = random_between(8, 17) * 16;
    ints[0] = ints[1] = ints[2] = ints[3] = ints[8] = 1;
    for (int i = 4; i < 8; i++)
        ints[i] = (int32_t)random_between(0, 2);
    p.part = random_between(0, 1) * 16;
    ints[9] = (int32_t)p.part;
    p.op.activation = random_between(0, 1) == 0 ? SZ_ACT_NONE : SZ_ACT_RELU6;
    p.x = tensor(n, h, w, c);
    p.w = tensor(outputs, 3, 3, c);
    p.y = tensor(n, h + (uint32_t)(ints[4] + ints[6]) - 2, w + (uint32_t)(ints[5] + ints[7]) - 2,
                 (uint32_t)p.part + outputs + behind);
    p.in = random_floats(n * h * w * c);
    p.packed = random_floats((outputs + PANEL - 1) / PANEL * panel_floats(&p));
    p.out = random_floats(sz_elements(&p.y));
    return p;
}

static void free_problem(struct problem *p)
{
    free(p->in);
    free(p->packed);
    free(p->out);
}

static void check(bool is_right, const char *what, double expected, double found)
{
    if (is_right)
        return;
    fprintf(stderr, "%s: %.9g instead of %.9g\n", what, found, expected);
    exit(1);
}

static void check_output(const struct problem *p, uint32_t n, uint32_t oy, uint32_t ox, uint32_t o,
                         float found)
{
    const float *w = p->packed + o / PANEL * panel_floats(p) + o % PANEL;
    const uint32_t *in = p->x.dims;
    double sum = (double)*w, magnitude = 1 + fabs(sum);
    for (uint32_t tap = 0; tap < 9; tap++) {
        int32_t y = (int32_t)(oy + tap / 3) - p->op.ints[4], x = (int32_t)(ox + tap % 3) - p->op.ints[5];
        if (y < 0 || y >= (int32_t)in[1] || x < 0 || x >= (int32_t)in[2])
            continue;
        const float *pixel = p->in + ((n * in[1] + (uint32_t)y) * in[2] + (uint32_t)x) * in[3];
        for (uint32_t c = 0; c < in[3]; c++) {
            double product = (double)pixel[c] * (double)w[(1 + tap * in[3] + c) * PANEL];
            sum += product;
            magnitude += fabs(product);
        }
    }
    if (p->op.activation == SZ_ACT_RELU6)
        sum = sum < 0 ? 0 : sum > 6 ? 6 : sum;
    check(fabs(sum - (double)found) <= TOLERANCE * magnitude, "3 x 3 convolution", sum, (double)found);
}

static void check_all(const struct problem *p, const float *before)
{
    const uint32_t *out = p->y.dims;
    for (uint32_t i = 0; i < sz_elements(&p->y); i++) {
        uint32_t o = i % out[3], pixel = i / out[3];
        if (o < p->part || o >= p->part + p->w.dims[0])
            check(p->out[i] == before[i], "another part's channel", (double)before[i], (double)p->out[i]);
        else
            check_output(p, pixel / out[2] / out[1], pixel / out[2] % out[1], pixel % out[2],
                         o - (uint32_t)p->part, p->out[i]);
    }
}

/* How many of some random convolutions were taken. */
static int run_all(convolution convolve)
{
    int taken = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct problem p = random_problem();
        size_t bytes = sz_elements(&p.y) * sizeof(float);
        float *before = malloc(bytes);
        memcpy(before, p.out, bytes);
        size_t scratch = random_between(1, random_between(0, 1) == 0 ? 100000 : 2000000);
        void *memory = malloc(scratch);
        struct sz_call call = {.op = &p.op,
                               .in = {{&p.x, p.in}, {&p.w, p.packed}},
                               .out = &p.y,
                               .y = p.out,
                               .scratch = memory,
                               .scratch_length = scratch};
        if (convolve(&call)) {
            taken++;
            check_all(&p, before);
        } else {
            check(memcmp(before, p.out, bytes) == 0, "refused, but written", 0, 1);
        }
        free(memory);
        free(before);
        free_problem(&p);
    }
    return taken;
}

static void test_width(const char *name, bool is_there, convolution convolve)
{
    if (!is_there) {
        printf("transformed convolutions, %s: skipped, this processor has none of it\n", name);
        return;
    }
    int taken = run_all(convolve);
    check(taken > ROUNDS / 4 && taken < ROUNDS, "convolutions taken", ROUNDS / 4, taken);
    printf("transformed convolutions, %s, %d: ok\n", name, taken);
}

int main(void)
{
    test_width("AVX2", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
               sz_x86_avx2_winograd_f32);
    test_width("AVX-512", __builtin_cpu_supports("avx512f"), sz_x86_avx512_winograd_f32);
    return 0;
}

#else

int main(void)
{
    printf("transformed convolutions of x86: skipped on another architecture\n");
    return 0;
}

#endif
