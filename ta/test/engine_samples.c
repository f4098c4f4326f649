#include "engine_samples.h"

static void set_ints(struct sz_op_record *op, int32_t stride, int32_t pad, int32_t last)
{
    op->ints[0] = op->ints[1] = stride;
    op->ints[2] = op->ints[3] = 1;
    op->ints[4] = op->ints[5] = op->ints[6] = op->ints[7] = pad;
    op->ints[8] = last;
}

static uint16_t floats(struct builder *b, struct shape shape, float low, float high)
{
    float values[512];
    size_t n = 1;
    for (int i = 0; i < 4; i++)
        n *= shape.d[i] != 0 ? shape.d[i] : 1;
    for (size_t i = 0; i < n; i++)
        values[i] = random_float(low, high);
    return build_weight(b, SZ_F32, shape, 0, 0, values);
}

static void quantised(struct builder *b, uint8_t code, uint16_t y, uint16_t x, struct shape w,
                      uint32_t outputs)
{
    int32_t zeros[64] = {0};
    uint16_t in[4] = {x};
    in[1] = build_weight(b, SZ_I8, w, 0.01f, 0, NULL);
    in[2] = build_weight(b, SZ_I32, SHAPE(outputs), 0, 0, zeros);
    in[3] = floats(b, SHAPE(outputs), 0.001f, 0.01f);
    struct sz_op_record *op = build_op_n(b, code, y, in, 4);
    if (code != SZ_OP_FULLY_CONNECTED)
        set_ints(op, 1, w.d[1] == 3 ? 1 : 0, 1);
}

void sample_classifier(struct builder *b)
{
    build_start(b);
    uint16_t x = build_arena_at(b, SZ_I8, SHAPE(1, 6, 6, 3), 0.02f, -1, 0);
    uint16_t conv = build_arena_at(b, SZ_I8, SHAPE(1, 6, 6, 8), 0.03f, 2, 128);
    uint16_t depthwise = build_arena_at(b, SZ_I8, SHAPE(1, 6, 6, 8), 0.03f, 3, 416);
    uint16_t sum = build_arena_at(b, SZ_I8, SHAPE(1, 6, 6, 8), 0.05f, 4, 128);
    uint16_t pooled = build_arena_at(b, SZ_I8, SHAPE(1, 2, 2, 8), 0.05f, 4, 0);
    uint16_t vector = build_arena_at(b, SZ_I8, SHAPE(1, 32), 0.05f, 4, 0);
    uint16_t scores = build_arena_at(b, SZ_I8, SHAPE(1, 5), 0.1f, 0, 64);
    uint16_t shares = build_arena_at(b, SZ_I8, SHAPE(1, 5), 1.0f / 256, -128, 64);
    quantised(b, SZ_OP_CONV_2D, conv, x, SHAPE(8, 3, 3, 3), 8);
    quantised(b, SZ_OP_DEPTHWISE_2D, depthwise, conv, SHAPE(1, 3, 3, 8), 8);
    build_op(b, SZ_OP_ADD, sum, conv, depthwise, SZ_NONE, SZ_NONE)->activation = SZ_ACT_RELU;
    struct sz_op_record *pool = build_op(b, SZ_OP_AVERAGE_POOL_2D, pooled, sum, SZ_NONE, SZ_NONE, SZ_NONE);
    pool->ints[0] = pool->ints[1] = pool->ints[2] = pool->ints[3] = 3;
    build_op(b, SZ_OP_RESHAPE, vector, pooled, SZ_NONE, SZ_NONE, SZ_NONE);
    b->segment = 1;
    quantised(b, SZ_OP_FULLY_CONNECTED, scores, vector, SHAPE(5, 32), 5);
    build_op(b, SZ_OP_SOFTMAX, shares, scores, SZ_NONE, SZ_NONE, SZ_NONE)->floats[0] = 1;
    build_input(b, x);
    build_output(b, shares);
    b->header.head.kind = SZ_HEAD_TOP_K;
    b->header.head.max_results = 3;
    b->header.head.tensors[0] = shares;
    b->header.head.floats[0] = -1e30f;
}

static void real(struct builder *b, uint16_t y, uint16_t x, struct shape w)
{
    uint16_t in[3] = {x};
    in[1] = floats(b, w, -1, 1);
    in[2] = floats(b, SHAPE(w.d[3]), -1, 1);
    set_ints(build_op_n(b, SZ_OP_CONV_2D, y, in, 3), 1, 0, 1);
}

void sample_detector(struct builder *b)
{
    build_start(b);
    uint16_t x = build_arena_at(b, SZ_F32, SHAPE(1, 2, 2, 3), 0, 0, 0);
    uint16_t score_map = build_arena_at(b, SZ_F32, SHAPE(1, 2, 2, 1), 0, 0, 64);
    uint16_t scores = build_arena_at(b, SZ_F32, SHAPE(1, 4, 1), 0, 0, 64);
    uint16_t more = build_arena_at(b, SZ_F32, SHAPE(1, 4, 1), 0, 0, 80);
    uint16_t all_scores = build_arena_at(b, SZ_F32, SHAPE(1, 8, 1), 0, 0, 64);
    uint16_t box_map = build_arena_at(b, SZ_F32, SHAPE(1, 2, 2, 12), 0, 0, 96);
    uint16_t boxes = build_arena_at(b, SZ_F32, SHAPE(1, 8, 6), 0, 0, 96);
    real(b, score_map, x, SHAPE(1, 1, 3, 1));
    build_op(b, SZ_OP_RESHAPE, scores, score_map, SZ_NONE, SZ_NONE, SZ_NONE);
    build_op(b, SZ_OP_LOGISTIC, more, scores, SZ_NONE, SZ_NONE, SZ_NONE);
    build_op(b, SZ_OP_CONCAT, all_scores, scores, more, SZ_NONE, SZ_NONE)->ints[0] = 1;
    real(b, box_map, x, SHAPE(1, 1, 3, 12));
    build_op(b, SZ_OP_RESHAPE, boxes, box_map, SZ_NONE, SZ_NONE, SZ_NONE);
    uint16_t anchors = floats(b, SHAPE(8, 4), 0.2f, 0.8f);
    build_input(b, x);
    build_output(b, boxes);
    build_output(b, all_scores);
    struct sz_head_record *head = &b->header.head;
    head->kind = SZ_HEAD_DETECTIONS;
    head->flags = SZ_HEAD_SIGMOID | SZ_HEAD_WEIGHTED;
    head->max_results = 8;
    head->tensors[0] = boxes;
    head->tensors[1] = all_scores;
    head->tensors[2] = anchors;
    for (int i = 0; i < 4; i++)
        head->floats[i] = 10;
    head->floats[4] = 100;
    head->floats[5] = 0.4f;
    head->floats[6] = 0.3f;
}

void sample_cells(struct builder *b)
{
    build_start(b);
    uint16_t x = build_arena_at(b, SZ_I8, SHAPE(1, 2, 2, 4), 0.02f, -1, 0);
    uint16_t fine = build_arena_at(b, SZ_I8, SHAPE(1, 2, 2, 16), 0.05f, 3, 16);
    uint16_t pooled = build_arena_at(b, SZ_I8, SHAPE(1, 1, 1, 4), 0.02f, -1, 80);
    uint16_t coarse = build_arena_at(b, SZ_I8, SHAPE(1, 1, 1, 16), 0.04f, 5, 96);
    uint16_t fine_rows = build_arena_at(b, SZ_I8, SHAPE(1, 8, 8), 0.05f, 3, 16);
    uint16_t coarse_rows = build_arena_at(b, SZ_I8, SHAPE(1, 2, 8), 0.04f, 5, 96);
    uint16_t cells = build_arena_at(b, SZ_I8, SHAPE(1, 10, 8), 0.06f, -2, 112);
    quantised(b, SZ_OP_CONV_2D, fine, x, SHAPE(16, 1, 1, 4), 16);
    struct sz_op_record *pool = build_op(b, SZ_OP_MAX_POOL_2D, pooled, x, SZ_NONE, SZ_NONE, SZ_NONE);
    pool->ints[0] = pool->ints[1] = pool->ints[2] = pool->ints[3] = 2;
    quantised(b, SZ_OP_CONV_2D, coarse, pooled, SHAPE(16, 1, 1, 4), 16);
    build_op(b, SZ_OP_RESHAPE, fine_rows, fine, SZ_NONE, SZ_NONE, SZ_NONE);
    build_op(b, SZ_OP_RESHAPE, coarse_rows, coarse, SZ_NONE, SZ_NONE, SZ_NONE);
    build_op(b, SZ_OP_CONCAT, cells, fine_rows, coarse_rows, SZ_NONE, SZ_NONE)->ints[0] = 1;
    uint16_t anchors = floats(b, SHAPE(10, 6), 0.2f, 0.8f);
    build_input(b, x);
    build_output(b, cells);
    struct sz_head_record *head = &b->header.head;
    head->kind = SZ_HEAD_DETECTIONS;
    head->flags = SZ_HEAD_CELLS | SZ_HEAD_SIGMOID | SZ_HEAD_EXP_SIZE | SZ_HEAD_PER_CLASS;
    head->max_results = 8;
    head->first_class = 5;
    head->tensors[0] = head->tensors[1] = cells;
    head->tensors[2] = anchors;
    for (int i = 0; i < 4; i++)
        head->floats[i] = 1;
    head->floats[5] = 0.3f;
    head->floats[6] = 0.45f;
}

void sample_autoencoder(struct builder *b)
{
    build_start(b);
    uint16_t x = build_arena_at(b, SZ_I8, SHAPE(1, 16), 0.5f, 9, 0);
    uint16_t narrow = build_arena_at(b, SZ_I8, SHAPE(1, 4), 0.25f, -128, 16);
    uint16_t wide = build_arena_at(b, SZ_I8, SHAPE(1, 16), 0.5f, 6, 32);
    quantised(b, SZ_OP_FULLY_CONNECTED, narrow, x, SHAPE(4, 16), 4);
    b->ops[0].activation = SZ_ACT_RELU;
    quantised(b, SZ_OP_FULLY_CONNECTED, wide, narrow, SHAPE(16, 4), 16);
    build_input(b, x);
    build_output(b, wide);
    b->header.head.kind = SZ_HEAD_RECONSTRUCTION;
    b->header.head.max_results = 1;
    b->header.head.tensors[0] = wide;
    b->header.head.floats[0] = 10;
}

void sample_layout(struct builder *b)
{
    build_start(b);
    uint16_t x = build_arena_at(b, SZ_F32, SHAPE(1, 3, 4, 2), 0, 0, 0);
    uint16_t padded = build_arena_at(b, SZ_F32, SHAPE(1, 4, 6, 2), 0, 0, 96);
    uint16_t turned = build_arena_at(b, SZ_F32, SHAPE(1, 6, 4, 2), 0, 0, 288);
    uint16_t piece = build_arena_at(b, SZ_F32, SHAPE(1, 3, 4, 1), 0, 0, 0);
    uint16_t bigger = build_arena_at(b, SZ_F32, SHAPE(1, 5, 7, 1), 0, 0, 48);
    uint16_t near = build_arena_at(b, SZ_F32, SHAPE(1, 4, 4, 1), 0, 0, 192);
    uint16_t q = build_arena_at(b, SZ_I8, SHAPE(1, 4, 4, 1), 0.05f, 3, 0);
    uint16_t scaled = build_arena_at(b, SZ_I8, SHAPE(1, 4, 4, 1), 0.02f, -4, 16);
    uint16_t bent = build_arena_at(b, SZ_I8, SHAPE(1, 4, 4, 1), 0.03f, 5, 16);
    uint16_t greatest = build_arena_at(b, SZ_I8, SHAPE(1, 3, 3, 1), 0.03f, 5, 32);
    uint16_t both = build_arena_at(b, SZ_I8, SHAPE(1, 3, 3, 2), 0.04f, 6, 48);
    uint16_t mean = build_arena_at(b, SZ_I8, SHAPE(1, 2), 0.01f, 7, 0);
    uint16_t y = build_arena_at(b, SZ_F32, SHAPE(1, 2), 0, 0, 16);
    uint16_t factor = build_weight(b, SZ_I8, SHAPE(1), 0.1f, 2, NULL);
    uint16_t slope = build_weight(b, SZ_I8, SHAPE(1), 0.1f, 2, NULL);
    struct sz_op_record *op = build_op(b, SZ_OP_PAD, padded, x, SZ_NONE, SZ_NONE, SZ_NONE);
    op->ints[1] = op->ints[2] = op->ints[6] = 1;
    op->floats[0] = 0.5f;
    op = build_op(b, SZ_OP_TRANSPOSE, turned, padded, SZ_NONE, SZ_NONE, SZ_NONE);
    op->ints[1] = 2;
    op->ints[2] = 1;
    op->ints[3] = 3;
    op = build_op(b, SZ_OP_SLICE, piece, turned, SZ_NONE, SZ_NONE, SZ_NONE);
    op->ints[1] = 3;
    op->ints[3] = 1;
    build_op(b, SZ_OP_RESIZE_BILINEAR, bigger, piece, SZ_NONE, SZ_NONE, SZ_NONE)->ints[1] = 1;
    build_op(b, SZ_OP_RESIZE_NEAREST, near, bigger, SZ_NONE, SZ_NONE, SZ_NONE)->ints[0] = 1;
    build_op(b, SZ_OP_QUANTIZE, q, near, SZ_NONE, SZ_NONE, SZ_NONE);
    build_op(b, SZ_OP_MUL, scaled, q, factor, SZ_NONE, SZ_NONE)->activation = SZ_ACT_RELU_N1_TO_1;
    build_op(b, SZ_OP_PRELU, bent, scaled, slope, SZ_NONE, SZ_NONE);
    op = build_op(b, SZ_OP_MAX_POOL_2D, greatest, bent, SZ_NONE, SZ_NONE, SZ_NONE);
    op->ints[0] = op->ints[1] = 1;
    op->ints[2] = op->ints[3] = 2;
    build_op(b, SZ_OP_CONCAT, both, greatest, greatest, SZ_NONE, SZ_NONE)->ints[0] = 3;
    build_op(b, SZ_OP_GLOBAL_MEAN, mean, both, SZ_NONE, SZ_NONE, SZ_NONE);
    build_op(b, SZ_OP_DEQUANTIZE, y, mean, SZ_NONE, SZ_NONE, SZ_NONE);
    build_input(b, x);
    build_output(b, y);
    b->header.head.kind = SZ_HEAD_VECTOR;
    b->header.head.tensors[0] = y;
}
