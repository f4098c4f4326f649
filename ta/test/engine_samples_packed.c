/* A graph for this machine's own kernels; where there are none, the same operators for the reference. */
#include "engine_samples.h"
#include "tinylib/target.h"

/* Weights of random content in the target's packing: kernels take any. */
uint16_t sample_weights(struct builder *b, uint8_t layout, uint8_t dtype, struct shape shape)
{
    const struct sz_target_kernels *native = sz_native_kernels();
    uint16_t index = build_weight(b, dtype, shape, 0.01f, 0, NULL);
    struct sz_tensor_record *t = &b->tensors[index];
    const struct sz_packing *packing = dtype == SZ_I8 ? &native->packing_i8 : &native->packing_f32;
    uint32_t bytes = (uint32_t)sz_packed_bytes(packing, layout, dtype, t->rank, t->dims);
    b->segment_bytes[b->segment] = t->offset + bytes;
    b->segments[b->segment] = realloc(b->segments[b->segment], t->offset + bytes);
    memset(b->segments[b->segment] + t->offset, 3, bytes);
    t->layout = layout;
    t->bytes = bytes;
    return index;
}

static struct sz_op_record *convolve(struct builder *b, uint8_t code, uint16_t y, uint16_t x, uint16_t w,
                                     int32_t pad, uint16_t scratch)
{
    struct sz_op_record *op = build_op(b, code, y, x, w, SZ_NONE, SZ_NONE);
    op->ints[0] = op->ints[1] = op->ints[2] = op->ints[3] = 1;
    op->ints[4] = op->ints[5] = op->ints[6] = op->ints[7] = pad;
    op->ints[8] = 1;
    op->scratch = scratch;
    return op;
}

bool sample_packed(struct builder *b)
{
    const struct sz_target_kernels *native = sz_native_kernels();
    build_start(b);
    if (native == NULL)
        return false;
    b->header.target = native->target;
    uint16_t x = build_arena(b, SZ_I8, SHAPE(1, 6, 6, 3), 0.02f, -1);
    uint16_t scratch = build_arena(b, SZ_I8, SHAPE(4096), 1, 0);
    uint16_t y = build_arena(b, SZ_I8, SHAPE(1, 6, 6, 24), 0.03f, 2);
    uint32_t at = b->tensors[y].offset;
    uint16_t depthwise = build_arena_at(b, SZ_I8, SHAPE(1, 6, 6, 24), 0.03f, 3, at);
    uint16_t rows = build_arena_at(b, SZ_I8, SHAPE(1, 4, 6, 24), 0.03f, 3, at + 2 * 6 * 24);
    uint16_t moved = build_arena_at(b, SZ_I8, SHAPE(1, 2, 6, 24), 0.03f, 3, at);
    uint16_t real = build_arena(b, SZ_F32, SHAPE(1, 2, 6, 24), 0, 0);
    uint16_t points = build_arena(b, SZ_F32, SHAPE(1, 2, 6, 5), 0, 0);
    uint16_t values = build_arena(b, SZ_F32, SHAPE(1, 7), 0, 0);
    /* Two parts, gathered; in place; a slice where it lies, one that moves; read directly; two parts again.
     */
    convolve(b, SZ_OP_CONV_2D, y, x, sample_weights(b, SZ_LAYOUT_PANELS, SZ_I8, SHAPE(16, 3, 3, 3)), 1,
             scratch);
    convolve(b, SZ_OP_CONV_2D, y, x, sample_weights(b, SZ_LAYOUT_PANELS, SZ_I8, SHAPE(8, 3, 3, 3)), 1,
             scratch)
        ->ints[9] = 16;
    convolve(b, SZ_OP_DEPTHWISE_2D, depthwise, y,
             sample_weights(b, SZ_LAYOUT_DEPTHWISE, SZ_I8, SHAPE(1, 3, 3, 24)), 1, scratch);
    build_op(b, SZ_OP_SLICE, rows, depthwise, SZ_NONE, SZ_NONE, SZ_NONE)->ints[1] = 2;
    build_op(b, SZ_OP_SLICE, moved, rows, SZ_NONE, SZ_NONE, SZ_NONE)->ints[1] = 1;
    build_op(b, SZ_OP_DEQUANTIZE, real, moved, SZ_NONE, SZ_NONE, SZ_NONE);
    b->segment = 1;
    convolve(b, SZ_OP_CONV_2D, points, real, sample_weights(b, SZ_LAYOUT_PANELS, SZ_F32, SHAPE(5, 1, 1, 24)),
             0, SZ_NONE);
    build_op(b, SZ_OP_FULLY_CONNECTED, values, points,
             sample_weights(b, SZ_LAYOUT_PANELS, SZ_F32, SHAPE(3, 60)), SZ_NONE, SZ_NONE);
    build_op(b, SZ_OP_FULLY_CONNECTED, values, points,
             sample_weights(b, SZ_LAYOUT_PANELS, SZ_F32, SHAPE(4, 60)), SZ_NONE, SZ_NONE)
        ->ints[9] = 3;
    build_input(b, x);
    build_output(b, values);
    b->header.head.kind = SZ_HEAD_VECTOR;
    b->header.head.tensors[0] = values;
    return true;
}
