/* Kernels against the naive definitions, on random shapes: odd channels, one-pixel pictures, strides,
 * padding, dilation, groups. */
#include "engine_builder.h"
#include "engine_naive.h"

#include <math.h>

#define ROUNDS 3000

static uint16_t random_arena(struct builder *b, uint8_t dtype, struct shape shape)
{
    return build_arena(b, dtype, shape, random_float(0.01f, 0.2f), random_between(-128, 127));
}

static uint16_t random_weights(struct builder *b, uint8_t dtype, struct shape shape, int32_t zero)
{
    static float values[1 << 16];
    size_t n = 1;
    if (dtype == SZ_I8)
        return build_weight(b, dtype, shape, random_float(0.01f, 0.2f), zero, NULL);
    for (int i = 0; i < 4; i++)
        n *= shape.d[i] != 0 ? shape.d[i] : 1;
    for (size_t i = 0; i < n; i++)
        values[i] = random_float(-1, 1);
    return build_weight(b, dtype, shape, 0, 0, values);
}

static uint16_t random_bias(struct builder *b, uint8_t dtype, uint32_t n)
{
    int32_t values[512];
    if (random_between(0, 3) == 0)
        return SZ_NONE;
    if (dtype == SZ_F32)
        return random_weights(b, SZ_F32, SHAPE(n), 0);
    for (uint32_t i = 0; i < n; i++)
        values[i] = random_between(-5000, 5000);
    return build_weight(b, SZ_I32, SHAPE(n), 0, 0, values);
}

static uint16_t random_scales(struct builder *b, uint32_t n, uint32_t depth)
{
    float values[512];
    for (uint32_t i = 0; i < n; i++)
        values[i] = random_float(0.001f, 0.02f) / sqrtf((float)depth);
    return build_weight(b, SZ_F32, SHAPE(n), 0, 0, values);
}

static uint32_t positions(uint32_t size, int32_t window, int32_t dilation, int32_t stride, int32_t pads)
{
    return (uint32_t)(((int32_t)size + pads - (window - 1) * dilation - 1) / stride + 1);
}

static void random_convolution(struct builder *b, uint8_t dtype, bool depthwise)
{
    struct sz_op_record op = {0};
    uint32_t groups = (uint32_t)(random_between(0, 2) == 0 ? random_between(2, 3) : 1);
    uint32_t in_c = (uint32_t)random_between(1, depthwise ? 40 : 20) * groups;
    uint32_t outputs = depthwise ? in_c * groups : (uint32_t)random_between(1, 30) * groups;
    uint32_t kh = (uint32_t)random_between(1, 4), kw = (uint32_t)random_between(1, 4);
    op.ints[0] = random_between(1, 3);
    op.ints[1] = random_between(1, 3);
    op.ints[2] = random_between(1, 2);
    op.ints[3] = random_between(1, 2);
    for (int i = 4; i < 8; i++)
        op.ints[i] = random_between(0, 3);
    op.ints[8] = (int32_t)groups;
    uint32_t h = (kh - 1) * (uint32_t)op.ints[2] + (uint32_t)random_between(1, 6);
    uint32_t w = (kw - 1) * (uint32_t)op.ints[3] + (uint32_t)random_between(1, 9);
    uint32_t out_h = positions(h, (int32_t)kh, op.ints[2], op.ints[0], op.ints[4] + op.ints[6]);
    uint32_t out_w = positions(w, (int32_t)kw, op.ints[3], op.ints[1], op.ints[5] + op.ints[7]);
    uint32_t n = (uint32_t)random_between(1, 2);
    struct shape kernel = depthwise        ? SHAPE(1, kh, kw, outputs)
                          : dtype == SZ_I8 ? SHAPE(outputs, kh, kw, in_c / groups)
                                           : SHAPE(kh, kw, in_c / groups, outputs);
    uint16_t in[4];
    in[0] = random_arena(b, dtype, SHAPE(n, h, w, in_c));
    in[1] = random_weights(b, dtype, kernel, random_between(0, 1) ? 0 : random_between(-128, 127));
    in[2] = random_bias(b, dtype, outputs);
    in[3] = dtype == SZ_I8 ? random_scales(b, outputs, kh * kw * (depthwise ? 1 : in_c / groups)) : SZ_NONE;
    uint16_t y = random_arena(b, dtype, SHAPE(n, out_h, out_w, outputs));
    struct sz_op_record *record =
        build_op_n(b, depthwise ? SZ_OP_DEPTHWISE_2D : SZ_OP_CONV_2D, y, in, dtype == SZ_I8 ? 4 : 3);
    memcpy(record->ints, op.ints, sizeof(op.ints));
    record->activation = (uint8_t)random_between(0, 3);
}

static void random_pool(struct builder *b, uint8_t dtype)
{
    int32_t kh = random_between(1, 4), kw = random_between(1, 4);
    int32_t ints[8] = {random_between(1, 3), random_between(1, 3), kh, kw};
    ints[4] = random_between(0, kh - 1);
    ints[5] = random_between(0, kw - 1);
    ints[6] = random_between(0, kh - 1);
    ints[7] = random_between(0, kw - 1);
    uint32_t h = (uint32_t)(kh + random_between(0, 6)), w = (uint32_t)(kw + random_between(0, 6));
    uint32_t c = (uint32_t)random_between(1, 80);
    uint16_t x = random_arena(b, dtype, SHAPE(1, h, w, c));
    uint16_t y = random_arena(b, dtype,
                              SHAPE(1, positions(h, kh, 1, ints[0], ints[4] + ints[6]),
                                    positions(w, kw, 1, ints[1], ints[5] + ints[7]), c));
    b->tensors[y].scale = b->tensors[x].scale;
    b->tensors[y].zero_point = b->tensors[x].zero_point;
    struct sz_op_record *op = build_op(b, random_between(0, 1) ? SZ_OP_MAX_POOL_2D : SZ_OP_AVERAGE_POOL_2D, y,
                                       x, SZ_NONE, SZ_NONE, SZ_NONE);
    memcpy(op->ints, ints, sizeof(ints));
    op->activation = (uint8_t)random_between(0, 3);
    if (dtype == SZ_I8 && op->code == SZ_OP_AVERAGE_POOL_2D)
        op->ints[8] = random_between(0, 1);
}

static struct shape random_shape(void)
{
    return SHAPE((uint32_t)random_between(1, 2), (uint32_t)random_between(1, 5),
                 (uint32_t)random_between(1, 5), (uint32_t)random_between(1, 37));
}

static void random_binary(struct builder *b, uint8_t dtype)
{
    struct shape shape = random_shape();
    struct shape other = shape;
    int32_t kind = random_between(0, 2);
    if (kind == 1)
        other = SHAPE(1, 1, 1, shape.d[3]);
    if (kind == 2)
        other = SHAPE(1, 1, 1, 1);
    uint16_t a = random_arena(b, dtype, shape);
    uint16_t second = random_weights(b, dtype, other, random_between(-128, 127));
    bool in_place = random_between(0, 1) != 0;
    uint16_t y = in_place ? build_arena_at(b, dtype, shape, random_float(0.01f, 0.2f),
                                           random_between(-128, 127), b->tensors[a].offset)
                          : random_arena(b, dtype, shape);
    struct sz_op_record *op =
        build_op(b, random_between(0, 1) ? SZ_OP_ADD : SZ_OP_MUL, y, a, second, SZ_NONE, SZ_NONE);
    op->activation = (uint8_t)random_between(0, 3);
}

static void random_layout(struct builder *b, uint8_t dtype)
{
    struct shape shape = random_shape();
    struct shape out = shape;
    int32_t ints[8] = {0};
    uint8_t code = (uint8_t)(random_between(0, 2) == 0 ? SZ_OP_TRANSPOSE
                             : random_between(0, 1)    ? SZ_OP_SLICE
                                                       : SZ_OP_PAD);
    for (int d = 0; d < 4; d++) {
        if (code == SZ_OP_SLICE) {
            ints[d] = random_between(0, (int32_t)shape.d[d] - 1);
            out.d[d] = (uint32_t)random_between(1, (int32_t)shape.d[d] - ints[d]);
        } else if (code == SZ_OP_PAD) {
            ints[d] = random_between(0, 2);
            ints[4 + d] = random_between(0, 2);
            out.d[d] += (uint32_t)(ints[d] + ints[4 + d]);
        } else {
            ints[d] = d;
        }
    }
    for (int d = 3; d > 0 && code == SZ_OP_TRANSPOSE; d--) {
        int32_t other = random_between(0, d);
        int32_t kept = ints[d];
        ints[d] = ints[other];
        ints[other] = kept;
    }
    for (int d = 0; d < 4 && code == SZ_OP_TRANSPOSE; d++)
        out.d[d] = shape.d[ints[d]];
    uint16_t x = random_arena(b, dtype, shape);
    uint16_t y = random_arena(b, dtype, out);
    b->tensors[y].scale = b->tensors[x].scale;
    b->tensors[y].zero_point = b->tensors[x].zero_point;
    struct sz_op_record *op = build_op(b, code, y, x, SZ_NONE, SZ_NONE, SZ_NONE);
    memcpy(op->ints, ints, sizeof(ints));
    if (code == SZ_OP_PAD && dtype == SZ_F32)
        op->floats[0] = 3.5f;
}

static void compare(const struct builder *b, const uint8_t *input, const uint8_t *arena, int round)
{
    const struct sz_op_record *op = &b->ops[0];
    const struct sz_tensor_record *out = &b->tensors[op->outputs[0]];
    struct naive_tensor in[4] = {{0}};
    for (int i = 0; i < op->input_count; i++) {
        if (op->inputs[i] == SZ_NONE)
            continue;
        in[i].t = &b->tensors[op->inputs[i]];
        in[i].data = i == 0 ? input : b->segments[in[i].t->segment] + in[i].t->offset;
    }
    const uint8_t *y = arena + out->offset;
    size_t i = 0;
    for (uint32_t n = 0; n < out->dims[0]; n++)
        for (uint32_t h = 0; h < out->dims[1]; h++)
            for (uint32_t w = 0; w < out->dims[2]; w++)
                for (uint32_t c = 0; c < out->dims[3]; c++, i++) {
                    double value, slack;
                    naive_value(op, in, out, n, h, w, c, &value, &slack);
                    double got = out->dtype == SZ_I8 ? (double)((const int8_t *)y)[i]
                                                     : (double)((const float *)(const void *)y)[i];
                    if (fabs(got - value) <= slack)
                        continue;
                    fprintf(stderr, "round %d, operator %d, type %d, value %zu: %g, not %g\n", round,
                            op->code, out->dtype, i, got, value);
                    failures++;
                    return;
                }
}

int main(void)
{
    static _Alignas(16) uint8_t input[1 << 20];
    for (int round = 0; round < ROUNDS; round++) {
        struct builder b;
        enum sz_engine_status status;
        uint8_t dtype = (uint8_t)random_between(SZ_F32, SZ_I8);
        build_start(&b);
        switch (round % 5) {
        case 0:
            random_convolution(&b, dtype, false);
            break;
        case 1:
            random_convolution(&b, dtype, true);
            break;
        case 2:
            random_pool(&b, dtype);
            break;
        case 3:
            random_binary(&b, dtype);
            break;
        default:
            random_layout(&b, dtype);
            break;
        }
        build_input(&b, b.ops[0].inputs[0]);
        build_output(&b, b.ops[0].outputs[0]);
        uint32_t bytes = b.tensors[b.header.input].bytes;
        for (uint32_t i = 0; dtype == SZ_I8 && i < bytes; i++)
            input[i] = (uint8_t)random_u32();
        for (uint32_t i = 0; dtype == SZ_F32 && i < bytes / 4; i++)
            ((float *)(void *)input)[i] = random_float(-4, 4);
        uint8_t *arena = build_run(&b, input, &status);
        CHECK(status == SZ_ENGINE_OK);
        if (status == SZ_ENGINE_OK)
            compare(&b, input, arena, round);
        free(arena);
        build_free(&b);
    }
    printf("random shapes, %d rounds: %s\n", ROUNDS, failures ? "FAILED" : "ok");
    return failures != 0;
}
