/* x86's operators without packed weights against the reference, every bit but a NaN's: random shapes with odd
 * channels, strides, padding and one-pixel pictures, in buffers of exactly their size. */
#include "tinylib/reference/kernels.h"
#include "tinylib/x86/plain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

#define ROUNDS 3000

static uint64_t state = 1;

static int32_t random_between(int32_t low, int32_t high)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return low + (int32_t)((uint32_t)(state >> 33) % (uint32_t)(high - low + 1));
}

static float random_scale(void)
{
    return (float)random_between(1, 200) / 1000.0f;
}

static struct sz_tensor_record random_tensor(uint8_t dtype, uint32_t h, uint32_t w, uint32_t c)
{
    struct sz_tensor_record t = {.dtype = dtype, .place = SZ_ARENA, .rank = 4, .dims = {1, h, w, c}};
    t.bytes = h * w * c * (dtype == SZ_F32 ? 4 : 1);
    if (dtype == SZ_I8) {
        t.scale = random_scale();
        t.zero_point = random_between(-128, 127);
    }
    return t;
}

static float random_float(void)
{
    static const float special[] = {NAN, INFINITY, -INFINITY, -0.0f};
    int32_t chance = random_between(0, 400);
    return chance < 4 ? special[chance] : (float)random_between(-4000, 4000) / 500.0f;
}

static void *random_values(const struct sz_tensor_record *t)
{
    void *values = malloc(t->bytes);
    for (size_t i = 0; i < sz_elements(t); i++) {
        if (t->dtype == SZ_F32)
            ((float *)values)[i] = random_float();
        else
            ((int8_t *)values)[i] = (int8_t)random_between(-128, 127);
    }
    return values;
}

/* A NaN's sign depends on the order that a compiler gives an addition's operands. */
static bool both_nan(const void *a, const void *b, size_t i)
{
    return isnan(((const float *)a)[i]) && isnan(((const float *)b)[i]);
}

/* y is a buffer of its own, or x's (`in_place`). */
static void compare(struct sz_call *call, sz_kernel ours, sz_kernel reference, bool in_place,
                    const char *what)
{
    size_t n = call->out->bytes;
    uint8_t *expected = malloc(n), *copy = NULL;
    call->y = expected;
    reference(call);
    if (in_place) {
        copy = malloc(n);
        memcpy(copy, call->in[0].data, n);
        call->in[0].data = copy;
    }
    uint8_t *found = in_place ? copy : malloc(n);
    call->y = found;
    ours(call);
    for (size_t i = 0; i < n; i++) {
        if (expected[i] == found[i] || (call->out->dtype == SZ_F32 && both_nan(expected, found, i / 4)))
            continue;
        fprintf(stderr, "%s: byte %zu of %zu is %d instead of %d\n", what, i, n, found[i], expected[i]);
        exit(1);
    }
    free(expected);
    free(found);
}

static uint8_t random_activation(void)
{
    static const uint8_t activations[] = {SZ_ACT_NONE, SZ_ACT_RELU, SZ_ACT_RELU6, SZ_ACT_RELU_N1_TO_1};
    return activations[random_between(0, 3)];
}

static uint32_t random_channels(void)
{
    return (uint32_t)random_between(1, random_between(0, 3) == 0 ? 150 : 40);
}

static void test_pool(uint8_t dtype, sz_kernel ours, sz_kernel reference, const char *what)
{
    struct sz_op_record op = {.activation = random_activation(), .input_count = 1, .output_count = 1};
    int32_t window_h = random_between(1, 4), window_w = random_between(1, 4);
    int32_t h = random_between(1, 9), w = random_between(1, 9);
    int32_t *ints = op.ints;
    ints[0] = random_between(1, 3);
    ints[1] = random_between(1, 3);
    ints[2] = window_h;
    ints[3] = window_w;
    for (int i = 4; i < 8; i++)
        ints[i] = random_between(0, ints[2 + i % 2] - 1);
    int32_t room_h = h + ints[4] + ints[6] - window_h, room_w = w + ints[5] + ints[7] - window_w;
    if (room_h < 0 || room_w < 0)
        return;
    struct sz_tensor_record x = random_tensor(dtype, (uint32_t)h, (uint32_t)w, random_channels());
    struct sz_tensor_record y = x;
    y.dims[1] = (uint32_t)(room_h / ints[0] + 1);
    y.dims[2] = (uint32_t)(room_w / ints[1] + 1);
    y.bytes = (uint32_t)sz_elements(&y) * (dtype == SZ_F32 ? 4 : 1);
    void *values = random_values(&x);
    struct sz_call call = {.op = &op, .in = {{&x, values}}, .out = &y};
    compare(&call, ours, reference, false, what);
    free(values);
}

static void test_add(void)
{
    struct sz_op_record op = {.activation = random_activation(), .input_count = 2, .output_count = 1};
    uint32_t h = (uint32_t)random_between(1, 5), w = (uint32_t)random_between(1, 5), c = random_channels();
    struct sz_tensor_record a = random_tensor(SZ_I8, h, w, c), y = random_tensor(SZ_I8, h, w, c);
    struct sz_tensor_record b =
        random_between(0, 3) == 0 ? random_tensor(SZ_I8, 1, 1, c) : random_tensor(SZ_I8, h, w, c);
    void *values_a = random_values(&a), *values_b = random_values(&b);
    struct sz_call call = {.op = &op, .in = {{&a, values_a}, {&b, values_b}}, .out = &y};
    compare(&call, sz_x86_add_i8, sz_ref_add_i8, random_between(0, 1) == 0, "add");
    free(values_a);
    free(values_b);
}

static void test_function(void)
{
    static const uint8_t codes[] = {SZ_OP_LOGISTIC, SZ_OP_TANH, SZ_OP_RELU, SZ_OP_LEAKY_RELU,
                                    SZ_OP_HARD_SWISH};
    struct sz_op_record op = {.code = codes[random_between(0, 4)], .input_count = 1, .output_count = 1};
    if (op.code == SZ_OP_RELU)
        op.activation = SZ_ACT_RELU6;
    op.floats[0] = 0.1f;
    uint32_t c = random_channels();
    struct sz_tensor_record x = random_tensor(SZ_I8, 1, (uint32_t)random_between(1, 9), c), y = x;
    y.scale = random_scale();
    y.zero_point = random_between(-128, 127);
    void *values = random_values(&x);
    struct sz_call call = {.op = &op, .in = {{&x, values}}, .out = &y};
    compare(&call, sz_x86_activation_i8, sz_ref_activation_i8, random_between(0, 1) == 0, "function");
    free(values);
}

int main(void)
{
    if (!__builtin_cpu_supports("avx2")) {
        printf("plain operators of x86: skipped, this processor has no AVX2\n");
        return 0;
    }
    for (int i = 0; i < ROUNDS; i++) {
        test_pool(SZ_F32, sz_x86_max_pool_f32, sz_ref_max_pool_f32, "max pool, float32");
        test_pool(SZ_F32, sz_x86_average_pool_f32, sz_ref_average_pool_f32, "average pool, float32");
        test_pool(SZ_I8, sz_x86_max_pool_i8, sz_ref_max_pool_i8, "max pool, int8");
        test_add();
        test_function();
    }
    printf("plain operators of x86, %d rounds: ok\n", ROUNDS);
    return 0;
}

#else

int main(void)
{
    printf("plain operators of x86: skipped on another architecture\n");
    return 0;
}

#endif
