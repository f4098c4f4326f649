/* Every operator on a case small enough to compute by hand. */
#include "engine_builder.h"
#include "tinylib/requant.h"

#include <math.h>

/* One operator on one input (and optional weights), and what must come out. */
struct simple {
    uint8_t code, activation;
    int32_t ints[SZ_OP_INTS];
    float floats[SZ_OP_FLOATS];
};

static void run_f32(const struct simple *s, struct shape in, const float *x, struct shape w_shape,
                    const float *w, struct shape out, const float *expected, float tolerance, int line)
{
    struct builder b;
    enum sz_engine_status status;
    build_start(&b);
    uint16_t tx = build_arena(&b, SZ_F32, in, 0, 0);
    uint16_t tw = w != NULL ? build_weight(&b, SZ_F32, w_shape, 0, 0, w) : (uint16_t)SZ_NONE;
    uint16_t ty = build_arena(&b, SZ_F32, out, 0, 0);
    struct sz_op_record *op = build_op(&b, s->code, ty, tx, tw, SZ_NONE, SZ_NONE);
    op->activation = s->activation;
    memcpy(op->ints, s->ints, sizeof(op->ints));
    memcpy(op->floats, s->floats, sizeof(op->floats));
    build_input(&b, tx);
    build_output(&b, ty);
    uint8_t *arena = build_run(&b, x, &status);
    if (status != SZ_ENGINE_OK) {
        fprintf(stderr, "line %d: refused\n", line);
        failures++;
    } else {
        const float *y = (const float *)(const void *)(arena + b.tensors[ty].offset);
        for (uint32_t i = 0; i < b.tensors[ty].bytes / 4; i++) {
            if (!(fabsf(y[i] - expected[i]) <= tolerance)) {
                fprintf(stderr, "line %d: value %u is %g, not %g\n", line, (unsigned)i, (double)y[i],
                        (double)expected[i]);
                failures++;
            }
        }
    }
    free(arena);
    build_free(&b);
}

struct quantised {
    struct shape shape;
    float scale;
    int32_t zero;
};

static void run_i8(const struct simple *s, struct quantised in, const int8_t *x, struct quantised in2,
                   const int8_t *second, struct quantised out, const int8_t *expected, int line)
{
    struct builder b;
    enum sz_engine_status status;
    build_start(&b);
    uint16_t tx = build_arena(&b, SZ_I8, in.shape, in.scale, in.zero);
    uint16_t tw =
        second != NULL ? build_weight(&b, SZ_I8, in2.shape, in2.scale, in2.zero, second) : (uint16_t)SZ_NONE;
    uint16_t ty = build_arena(&b, SZ_I8, out.shape, out.scale, out.zero);
    struct sz_op_record *op = build_op(&b, s->code, ty, tx, tw, SZ_NONE, SZ_NONE);
    op->activation = s->activation;
    memcpy(op->ints, s->ints, sizeof(op->ints));
    memcpy(op->floats, s->floats, sizeof(op->floats));
    build_input(&b, tx);
    build_output(&b, ty);
    uint8_t *arena = build_run(&b, x, &status);
    if (status != SZ_ENGINE_OK) {
        fprintf(stderr, "line %d: refused\n", line);
        failures++;
    } else {
        const int8_t *y = (const int8_t *)(arena + b.tensors[ty].offset);
        for (uint32_t i = 0; i < b.tensors[ty].bytes; i++) {
            if (y[i] != expected[i]) {
                fprintf(stderr, "line %d: value %u is %d, not %d\n", line, (unsigned)i, y[i], expected[i]);
                failures++;
            }
        }
    }
    free(arena);
    build_free(&b);
}

#define FLOATS(...)                                                                                          \
    (const float[])                                                                                          \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define BYTES(...)                                                                                           \
    (const int8_t[])                                                                                         \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define NO_SHAPE SHAPE(0)
#define NO_SECOND (struct quantised){{{0}}, 0, 0}, NULL
#define Q(scale, zero, ...)                                                                                  \
    (struct quantised)                                                                                       \
    {                                                                                                        \
        SHAPE(__VA_ARGS__), scale, zero                                                                      \
    }

static void windows_f32(void)
{
    /* 3x3 picture 1..9, 2x2 kernel {1,2,3,4}: y[0] = 1+2*2+3*4+4*5 = 37. */
    run_f32(&(struct simple){.code = SZ_OP_CONV_2D, .ints = {1, 1, 1, 1, 0, 0, 0, 0, 1}}, SHAPE(1, 3, 3, 1),
            FLOATS(1, 2, 3, 4, 5, 6, 7, 8, 9), SHAPE(2, 2, 1, 1), FLOATS(1, 2, 3, 4), SHAPE(1, 2, 2, 1),
            FLOATS(37, 47, 67, 77), 0, __LINE__);
    /* The same with one row of padding above and a stride of two: rows -1 and 1. */
    run_f32(&(struct simple){.code = SZ_OP_CONV_2D, .ints = {2, 2, 1, 1, 1, 0, 0, 0, 1}}, SHAPE(1, 3, 3, 1),
            FLOATS(1, 2, 3, 4, 5, 6, 7, 8, 9), SHAPE(2, 2, 1, 1), FLOATS(1, 2, 3, 4), SHAPE(1, 2, 1, 1),
            FLOATS(3 * 1 + 4 * 2, 4 + 2 * 5 + 3 * 7 + 4 * 8), 0, __LINE__);
    /* Dilation 2 on 3x3: the corners. */
    run_f32(&(struct simple){.code = SZ_OP_CONV_2D, .ints = {1, 1, 2, 2, 0, 0, 0, 0, 1}}, SHAPE(1, 3, 3, 1),
            FLOATS(1, 2, 3, 4, 5, 6, 7, 8, 9), SHAPE(2, 2, 1, 1), FLOATS(1, 2, 3, 4), SHAPE(1, 1, 1, 1),
            FLOATS(1 + 6 + 21 + 36), 0, __LINE__);
    /* Two groups: outputs 0, 1 see channel 0; outputs 2, 3 see channel 1. Clamped to 6. */
    run_f32(&(struct simple){.code = SZ_OP_CONV_2D,
                             .activation = SZ_ACT_RELU6,
                             .ints = {1, 1, 1, 1, 0, 0, 0, 0, 2}},
            SHAPE(1, 1, 1, 2), FLOATS(2, 3), SHAPE(1, 1, 1, 4), FLOATS(1, -1, 1, 10), SHAPE(1, 1, 1, 4),
            FLOATS(2, 0, 3, 6), 0, __LINE__);
    /* Depthwise with multiplier 2: outputs 0, 1 from channel 0. */
    run_f32(&(struct simple){.code = SZ_OP_DEPTHWISE_2D, .ints = {1, 1, 1, 1, 0, 0, 0, 0, 2}},
            SHAPE(1, 1, 2, 2), FLOATS(1, 2, 3, 4), SHAPE(1, 1, 2, 4), FLOATS(1, 10, 1, 10, 2, 20, 2, 20),
            SHAPE(1, 1, 1, 4), FLOATS(1 + 6, 10 + 60, 2 + 8, 20 + 80), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_FULLY_CONNECTED}, SHAPE(2, 2), FLOATS(1, 2, 3, 4), SHAPE(2, 3),
            FLOATS(1, 2, 3, 4, 5, 6), SHAPE(2, 3), FLOATS(9, 12, 15, 19, 26, 33), 0, __LINE__);
    /* 2x2 windows with padding on the left: it does not count. */
    run_f32(&(struct simple){.code = SZ_OP_AVERAGE_POOL_2D, .ints = {1, 2, 2, 2, 0, 1, 0, 0}},
            SHAPE(1, 2, 3, 1), FLOATS(1, 2, 3, 5, 6, 7), NO_SHAPE, NULL, SHAPE(1, 1, 2, 1), FLOATS(3, 4.5f),
            0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_MAX_POOL_2D, .ints = {1, 2, 2, 2, 0, 1, 0, 0}}, SHAPE(1, 2, 3, 1),
            FLOATS(-1, -2, -3, -5, -6, -7), NO_SHAPE, NULL, SHAPE(1, 1, 2, 1), FLOATS(-1, -2), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_GLOBAL_MEAN}, SHAPE(1, 2, 2, 2),
            FLOATS(1, 10, 2, 20, 3, 30, 4, 40), NO_SHAPE, NULL, SHAPE(1, 2), FLOATS(2.5f, 25), 0, __LINE__);
}

static void values_f32(void)
{
    run_f32(&(struct simple){.code = SZ_OP_ADD}, SHAPE(1, 2, 2), FLOATS(1, 2, 3, 4), SHAPE(2), FLOATS(10, 20),
            SHAPE(1, 2, 2), FLOATS(11, 22, 13, 24), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_MUL, .activation = SZ_ACT_RELU_N1_TO_1}, SHAPE(1, 4),
            FLOATS(1, .25f, -.5f, -4), SHAPE(1), FLOATS(2), SHAPE(1, 4), FLOATS(1, .5f, -1, -1), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_SOFTMAX, .floats = {1}}, SHAPE(2, 2),
            FLOATS(0, logf(3), 1000, 1000), NO_SHAPE, NULL, SHAPE(2, 2), FLOATS(.25f, .75f, .5f, .5f), 1e-6f,
            __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_LOGISTIC}, SHAPE(3), FLOATS(0, 2, -200), NO_SHAPE, NULL, SHAPE(3),
            FLOATS(.5f, 0.88079708f, 0), 1e-7f, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_TANH}, SHAPE(3), FLOATS(0, .5f, -20), NO_SHAPE, NULL, SHAPE(3),
            FLOATS(0, 0.46211716f, -1), 1e-7f, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_RELU, .activation = SZ_ACT_RELU}, SHAPE(3), FLOATS(-1, 0, 7),
            NO_SHAPE, NULL, SHAPE(3), FLOATS(0, 0, 7), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_LEAKY_RELU, .floats = {.125f}}, SHAPE(3), FLOATS(-8, 0, 7),
            NO_SHAPE, NULL, SHAPE(3), FLOATS(-1, 0, 7), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_PRELU}, SHAPE(1, 2, 2), FLOATS(-8, -8, 4, 4), SHAPE(2),
            FLOATS(.5f, 2), SHAPE(1, 2, 2), FLOATS(-4, -16, 4, 4), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_HARD_SWISH}, SHAPE(4), FLOATS(-4, -1, 1, 5), NO_SHAPE, NULL,
            SHAPE(4), FLOATS(0, -1.0f / 3, 2.0f / 3, 5), 1e-6f, __LINE__);
}

static void layout_f32(void)
{
    run_f32(&(struct simple){.code = SZ_OP_PAD, .ints = {0, 1, 0, 0, 0, 0, 1}, .floats = {9}}, SHAPE(1, 1, 2),
            FLOATS(1, 2), NO_SHAPE, NULL, SHAPE(1, 2, 3), FLOATS(9, 9, 9, 1, 2, 9), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_RESHAPE}, SHAPE(2, 2), FLOATS(1, 2, 3, 4), NO_SHAPE, NULL,
            SHAPE(4), FLOATS(1, 2, 3, 4), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_TRANSPOSE, .ints = {1, 0, 2, 3}}, SHAPE(2, 3),
            FLOATS(1, 2, 3, 4, 5, 6), NO_SHAPE, NULL, SHAPE(3, 2), FLOATS(1, 4, 2, 5, 3, 6), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_SLICE, .ints = {1, 1}}, SHAPE(3, 3),
            FLOATS(1, 2, 3, 4, 5, 6, 7, 8, 9), NO_SHAPE, NULL, SHAPE(2, 1), FLOATS(5, 8), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_RESIZE_NEAREST}, SHAPE(1, 1, 2, 1), FLOATS(1, 2), NO_SHAPE, NULL,
            SHAPE(1, 2, 4, 1), FLOATS(1, 1, 2, 2, 1, 1, 2, 2), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_RESIZE_BILINEAR}, SHAPE(1, 1, 2, 1), FLOATS(1, 2), NO_SHAPE, NULL,
            SHAPE(1, 1, 4, 1), FLOATS(1, 1.5f, 2, 2), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_RESIZE_BILINEAR, .ints = {1, 0}}, SHAPE(1, 1, 2, 1), FLOATS(1, 2),
            NO_SHAPE, NULL, SHAPE(1, 1, 3, 1), FLOATS(1, 1.5f, 2), 0, __LINE__);
    run_f32(&(struct simple){.code = SZ_OP_RESIZE_BILINEAR, .ints = {0, 1}}, SHAPE(1, 1, 2, 1), FLOATS(1, 2),
            NO_SHAPE, NULL, SHAPE(1, 1, 4, 1), FLOATS(1, 1.25f, 1.75f, 2), 0, __LINE__);
}

static void values_i8(void)
{
    /* (1 - 3) * 0.5 + (5 + 1) * 0.25 = 0.5 = 1 * 0.5 -> 1 + zero 10. Half of a quantum rounds up. */
    run_i8(&(struct simple){.code = SZ_OP_ADD}, Q(.5f, 3, 4), BYTES(1, 3, 3, 3), Q(.25f, -1, 4),
           BYTES(5, 0, -2, 127), Q(.5f, 10, 4), BYTES(11, 11, 10, 74), __LINE__);
    /* (4 * 3) * 0.5 * 0.5 / 1 = 3; 0.25 * 2 = 0.5 rounds to even 0, 1.5 to 2. */
    run_i8(&(struct simple){.code = SZ_OP_MUL}, Q(.5f, 0, 4), BYTES(4, 2, 6, 127), Q(.5f, 1, 4),
           BYTES(4, 2, 2, 127), Q(1, 0, 4), BYTES(3, 0, 2, 127), __LINE__);
    /* Half away from zero. */
    run_i8(&(struct simple){.code = SZ_OP_AVERAGE_POOL_2D, .ints = {1, 1, 1, 2, 0, 0, 0, 0}},
           Q(1, 5, 1, 1, 3, 1), BYTES(1, 2, -5), NO_SECOND, Q(1, 5, 1, 1, 2, 1), BYTES(2, -2), __LINE__);
    /* Half up: (2 - 5) / 2 = -1.5 -> -1. */
    run_i8(&(struct simple){.code = SZ_OP_AVERAGE_POOL_2D, .ints = {1, 1, 1, 2, 0, 0, 0, 0, 1}},
           Q(1, 5, 1, 1, 3, 1), BYTES(1, 2, -5), NO_SECOND, Q(1, 5, 1, 1, 2, 1), BYTES(2, -1), __LINE__);
    run_i8(&(struct simple){.code = SZ_OP_MAX_POOL_2D,
                            .activation = SZ_ACT_RELU,
                            .ints = {1, 1, 1, 2, 0, 0, 0, 0}},
           Q(1, 5, 1, 1, 3, 1), BYTES(1, 7, -5), NO_SECOND, Q(1, 5, 1, 1, 2, 1), BYTES(7, 7), __LINE__);
    /* ((1-2) + (4-2)) / 2 * 2 / 0.5 = 2 -> -3 + 2. */
    run_i8(&(struct simple){.code = SZ_OP_GLOBAL_MEAN}, Q(2, 2, 1, 1, 2, 1), BYTES(1, 4), NO_SECOND,
           Q(.5f, -3, 1, 1, 1, 1), BYTES(-1), __LINE__);
    /* exp(0), exp(-ln 3): 3/4, 1/4 of 256. */
    run_i8(&(struct simple){.code = SZ_OP_SOFTMAX, .floats = {1}}, Q(1.0986123f, 7, 1, 2), BYTES(9, 8),
           NO_SECOND, Q(1.0f / 256, -128, 1, 2), BYTES(64, -64), __LINE__);
    run_i8(&(struct simple){.code = SZ_OP_LOGISTIC}, Q(1, 0, 3), BYTES(0, 100, -100), NO_SECOND,
           Q(1.0f / 256, -128, 3), BYTES(0, 127, -128), __LINE__);
    run_i8(&(struct simple){.code = SZ_OP_RELU, .activation = SZ_ACT_RELU6}, Q(.125f, -10, 3),
           BYTES(-50, -10, 127), NO_SECOND, Q(.125f, -10, 3), BYTES(-10, -10, 38), __LINE__);
    run_i8(&(struct simple){.code = SZ_OP_PRELU}, Q(1, 0, 1, 2), BYTES(-8, 8), Q(.5f, 2, 2), BYTES(3, 0),
           Q(1, 1, 1, 2), BYTES(-3, 9), __LINE__);
    run_i8(&(struct simple){.code = SZ_OP_QUANTIZE}, Q(1, -1, 3), BYTES(-1, 4, 127), NO_SECOND, Q(2, 0, 3),
           BYTES(0, 2, 64), __LINE__);
    run_i8(&(struct simple){.code = SZ_OP_PAD, .ints = {1, 0, 0, 0, 0, 0, 0, 0}}, Q(1, -7, 1, 2), BYTES(1, 2),
           NO_SECOND, Q(1, -7, 2, 2), BYTES(-7, -7, 1, 2), __LINE__);
    run_i8(&(struct simple){.code = SZ_OP_RESIZE_BILINEAR, .ints = {1, 0}}, Q(1, 3, 1, 1, 2, 1), BYTES(1, 4),
           NO_SECOND, Q(1, 3, 1, 1, 3, 1), BYTES(1, 2, 4), __LINE__);
}

/* x = {1, 2} - zero 1, w = {3, -4} - zero 1, bias 100: 0*2 + 1*-5 + 100 = 95; * 0.1 = 9.5 -> 10 (even) + 5.
 */
static void convolution_i8(void)
{
    struct builder b;
    enum sz_engine_status status;
    build_start(&b);
    uint16_t x = build_arena(&b, SZ_I8, SHAPE(1, 1, 1, 2), 1, 1);
    uint16_t w = build_weight(&b, SZ_I8, SHAPE(3, 1, 1, 2), 1, 1, BYTES(3, -4, 3, -4, 3, -4));
    uint16_t bias = build_weight(&b, SZ_I32, SHAPE(3), 0, 0, (const int32_t[]){100, 90, 2147483647});
    uint16_t scale = build_weight(&b, SZ_F32, SHAPE(3), 0, 0, FLOATS(0.1f, 0.5f, NAN));
    uint16_t y = build_arena(&b, SZ_I8, SHAPE(1, 1, 1, 3), 1, 5);
    struct sz_op_record *op = build_op(&b, SZ_OP_CONV_2D, y, x, w, bias, scale);
    op->ints[0] = op->ints[1] = op->ints[2] = op->ints[3] = op->ints[8] = 1;
    build_input(&b, x);
    build_output(&b, y);
    uint8_t *arena = build_run(&b, BYTES(1, 2), &status);
    CHECK(status == SZ_ENGINE_OK);
    const int8_t *out = (const int8_t *)(arena + b.tensors[y].offset);
    /* 95 * 0.1f is 9.5 in float32, to even 10; 85 * 0.5 = 42.5 -> 42; a bad scale gives the lowest value. */
    CHECK(out[0] == 15);
    CHECK(out[1] == 47);
    CHECK(out[2] == -128);
    free(arena);
    build_free(&b);
}

/* f32 -> i8 -> f32: 0.3 / 0.25 = 1.2 -> 1. And both halves of a concat with different quantisations. */
static void conversions(void)
{
    struct builder b;
    enum sz_engine_status status;
    build_start(&b);
    uint16_t x = build_arena(&b, SZ_F32, SHAPE(1, 2), 0, 0);
    uint16_t q = build_arena(&b, SZ_I8, SHAPE(1, 2), .25f, -3);
    uint16_t r = build_arena(&b, SZ_I8, SHAPE(1, 2), .5f, 4);
    uint16_t both = build_arena(&b, SZ_I8, SHAPE(1, 4), .25f, -3);
    uint16_t y = build_arena(&b, SZ_F32, SHAPE(1, 4), 0, 0);
    build_op(&b, SZ_OP_QUANTIZE, q, x, SZ_NONE, SZ_NONE, SZ_NONE);
    build_op(&b, SZ_OP_QUANTIZE, r, x, SZ_NONE, SZ_NONE, SZ_NONE);
    struct sz_op_record *op = build_op(&b, SZ_OP_CONCAT, both, q, r, SZ_NONE, SZ_NONE);
    op->ints[0] = 1;
    build_op(&b, SZ_OP_DEQUANTIZE, y, both, SZ_NONE, SZ_NONE, SZ_NONE);
    build_input(&b, x);
    build_output(&b, y);
    build_output(&b, both);
    uint8_t *arena = build_run(&b, FLOATS(0.3f, -1000), &status);
    CHECK(status == SZ_ENGINE_OK);
    const int8_t *bytes = (const int8_t *)(arena + b.tensors[both].offset);
    const float *out = (const float *)(const void *)(arena + b.tensors[y].offset);
    CHECK(bytes[0] == -2 && bytes[1] == -128 && bytes[2] == -1 && bytes[3] == -128);
    CHECK(out[0] == 0.25f && out[1] == -31.25f && out[2] == 0.5f && out[3] == -31.25f);
    free(arena);
    build_free(&b);
}

static void addition_terms(void)
{
    struct sz_tensor_record a = {.scale = 0.3f}, b = {.scale = 0.1f}, y = {.scale = 0.25f};
    struct sz_add_terms terms;
    /* Ratios 1.2 and 0.4 of 2^20. */
    CHECK(sz_add_terms_of(&a, &b, &y, &terms) && terms.shift == 20);
    CHECK(terms.multiplier_a == 1258291 && terms.multiplier_b == 419430);
    /* The smallest and the greatest ratio. */
    y.scale = 0.3f * 1024;
    CHECK(sz_add_terms_of(&a, &b, &y, &terms) && terms.shift == 30 && terms.multiplier_a == 1 << 20);
    y.scale = 0.3f * 1025;
    CHECK(!sz_add_terms_of(&a, &b, &y, &terms));
    y.scale = 0.3f / 255;
    CHECK(sz_add_terms_of(&a, &b, &y, &terms) && terms.shift == 13);
    y.scale = 0.3f / 256;
    CHECK(!sz_add_terms_of(&a, &b, &y, &terms));
}

static void rounding(void)
{
    const struct sz_bounds all = {-128, 127};
    CHECK(sz_round_half_even(0.5f) == 0 && sz_round_half_even(1.5f) == 2 && sz_round_half_even(-2.5f) == -2);
    CHECK(sz_round_half_even(-0.5000001f) == -1 && sz_round_half_even(4194303.5f) == 4194304);
    CHECK(sz_requantise(2147483647, 1.0f, 0, all) == 127 &&
          sz_requantise(-2147483647 - 1, 1e30f, 0, all) == -128);
    CHECK(sz_requantise(0, INFINITY, 5, all) == -128 && sz_requantise(3, 0.5f, 5, all) == 7);
}

/* The longest sum that is allowed, of the greatest products: 32768 * (-128 - 127)^2 = 2130739200. One more is
 * refused. */
static void longest_sum(uint32_t depth)
{
    struct builder b;
    enum sz_engine_status status;
    static int8_t lowest[SZ_MAX_INT8_DEPTH + 1];
    memset(lowest, -128, sizeof(lowest));
    build_start(&b);
    uint16_t in[4] = {build_arena(&b, SZ_I8, SHAPE(1, depth), 1, 127), 0, SZ_NONE};
    in[1] = build_weight(&b, SZ_I8, SHAPE(1, depth), 1, 127, lowest);
    in[3] = build_weight(&b, SZ_F32, SHAPE(1), 0, 0, FLOATS(100.0f / 2130739200.0f));
    uint16_t y = build_arena(&b, SZ_I8, SHAPE(1, 1), 1, 0);
    build_op_n(&b, SZ_OP_FULLY_CONNECTED, y, in, 4);
    build_input(&b, in[0]);
    build_output(&b, y);
    if (depth > SZ_MAX_INT8_DEPTH) {
        CHECK(build_open(&b, NULL) == SZ_ENGINE_SHAPE);
    } else {
        uint8_t *arena = build_run(&b, lowest, &status);
        CHECK(status == SZ_ENGINE_OK && (int8_t)arena[b.tensors[y].offset] == 100);
        free(arena);
    }
    build_free(&b);
}

int main(void)
{
    longest_sum(SZ_MAX_INT8_DEPTH);
    longest_sum(SZ_MAX_INT8_DEPTH + 1);
    addition_terms();
    rounding();
    windows_f32();
    values_f32();
    layout_f32();
    values_i8();
    convolution_i8();
    conversions();
    printf("operators: %s\n", failures ? "FAILED" : "ok");
    return failures != 0;
}
