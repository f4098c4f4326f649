/* A stage in bands, of every kind of operator that one can have. */
#include "engine_samples.h"
#include "tinylib/target.h"

static uint16_t lines(struct builder *b, struct shape shape, float scale, int32_t zero, uint32_t slots,
                      uint32_t padding)
{
    uint16_t index = build_arena(b, SZ_I8, shape, scale, zero);
    struct sz_tensor_record *t = &b->tensors[index];
    uint32_t bytes = slots * (shape.d[2] + padding) * shape.d[3];
    t->layout = SZ_LAYOUT_LINES;
    t->bytes = bytes;
    b->header.arena_size = t->offset + bytes;
    return index;
}

static void convolve(struct builder *b, uint8_t code, uint16_t y, uint16_t x, uint16_t w, int32_t pad,
                     uint16_t scratch)
{
    struct sz_op_record *op = build_op(b, code, y, x, w, SZ_NONE, SZ_NONE);
    op->ints[0] = op->ints[1] = op->ints[2] = op->ints[3] = 1;
    op->ints[4] = op->ints[5] = op->ints[6] = op->ints[7] = pad;
    op->ints[8] = 1;
    op->scratch = scratch;
}

bool sample_bands(struct builder *b)
{
    const struct sz_target_kernels *native = sz_native_kernels();
    build_start(b);
    if (native == NULL)
        return false;
    b->header.target = native->target;
    b->header.band_ops = 6;
    uint16_t x = build_arena(b, SZ_I8, SHAPE(1, 6, 6, 3), 0.02f, -1);
    uint16_t scratch = build_arena(b, SZ_I8, SHAPE(4096), 1, 0);
    uint16_t narrow = lines(b, SHAPE(1, 6, 6, 8), 0.03f, 2, 3, 0);
    uint16_t wide = lines(b, SHAPE(1, 6, 6, 16), 0.03f, 3, 3, 2);
    uint16_t passing = lines(b, SHAPE(1, 6, 6, 16), 0.03f, 3, 1, 0);
    uint16_t again = lines(b, SHAPE(1, 6, 6, 8), 0.03f, 4, 1, 0);
    uint16_t bent = lines(b, SHAPE(1, 6, 6, 8), 0.03f, 4, 1, 0);
    uint16_t sum = build_arena(b, SZ_I8, SHAPE(1, 6, 6, 8), 0.05f, 4);
    uint16_t mean = build_arena(b, SZ_I8, SHAPE(1, 8), 0.05f, 4);
    convolve(b, SZ_OP_CONV_2D, narrow, x, sample_weights(b, SZ_LAYOUT_PANELS, SZ_I8, SHAPE(8, 3, 3, 3)), 1,
             scratch);
    convolve(b, SZ_OP_CONV_2D, wide, narrow, sample_weights(b, SZ_LAYOUT_PANELS, SZ_I8, SHAPE(16, 1, 1, 8)),
             0, SZ_NONE);
    convolve(b, SZ_OP_DEPTHWISE_2D, passing, wide,
             sample_weights(b, SZ_LAYOUT_DEPTHWISE, SZ_I8, SHAPE(1, 3, 3, 16)), 1, SZ_NONE);
    convolve(b, SZ_OP_CONV_2D, again, passing, sample_weights(b, SZ_LAYOUT_PANELS, SZ_I8, SHAPE(8, 1, 1, 16)),
             0, SZ_NONE);
    build_op(b, SZ_OP_LEAKY_RELU, bent, again, SZ_NONE, SZ_NONE, SZ_NONE)->floats[0] = 0.25f;
    build_op(b, SZ_OP_ADD, sum, bent, narrow, SZ_NONE, SZ_NONE);
    build_op(b, SZ_OP_GLOBAL_MEAN, mean, sum, SZ_NONE, SZ_NONE, SZ_NONE);
    build_input(b, x);
    build_output(b, mean);
    b->header.head.kind = SZ_HEAD_VECTOR;
    b->header.head.tensors[0] = mean;
    return true;
}
