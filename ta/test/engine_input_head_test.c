/* Frames in, results out: formats and shapes of the input, the four heads, running in pieces. */
#include "engine_samples.h"
#include "tinylib/head.h"

#include <math.h>

struct opened {
    struct builder b;
    struct sz_graph graph;
    struct sz_segment segments[BUILD_SEGMENTS];
    uint8_t *bytes, *arena;
    void *work;
    size_t work_length, arena_length;
};

static void open_sample(struct opened *o)
{
    size_t length;
    o->bytes = build_bytes(&o->b, &length);
    o->work_length = sz_graph_work_size(o->bytes, length);
    o->work = malloc(o->work_length + 1);
    CHECK(sz_graph_open(&o->graph, o->bytes, length, o->work, o->work_length, NULL) == SZ_ENGINE_OK);
    o->arena_length = o->b.header.arena_size;
    o->arena = calloc(1, o->arena_length);
    for (int i = 0; i < o->b.header.segment_count; i++)
        o->segments[i] = (struct sz_segment){o->b.segments[i], o->b.segment_bytes[i]};
}

static void close_sample(struct opened *o)
{
    free(o->bytes);
    free(o->work);
    free(o->arena);
    build_free(&o->b);
}

/* A graph that only renames its input, so that the input can be read back; `shape` with N = 1 in front. */
static void open_copy(struct opened *o, uint8_t dtype, struct shape shape, float scale, int32_t zero)
{
    build_start(&o->b);
    uint16_t x = build_arena(&o->b, dtype, shape, scale, zero);
    uint16_t y = build_arena_at(&o->b, dtype, shape, scale, zero, 0);
    build_op(&o->b, SZ_OP_RESHAPE, y, x, SZ_NONE, SZ_NONE, SZ_NONE);
    build_input(&o->b, x);
    build_output(&o->b, y);
}

static enum sz_engine_status run_all(struct opened *o)
{
    return sz_graph_run_ops(&o->graph, o->segments, o->b.header.segment_count, o->arena, o->arena_length, 0,
                            o->b.header.op_count, NULL);
}

static void inputs_of_int8(void)
{
    struct opened o;
    open_copy(&o, SZ_I8, SHAPE(1, 1, 2, 2), 0.5f, 10);
    /* Channel 0: u / 4 - 1; channel 1: u. */
    o.b.header.input_a[0] = 0.25f;
    o.b.header.input_b[0] = -1;
    open_sample(&o);
    const uint32_t dims[4] = {1, 1, 2, 2};
    const uint8_t frame[4] = {4, 1, 255, 255};
    const int8_t *x = (const int8_t *)o.arena;
    CHECK(sz_input_write(&o.graph, SZ_INPUT_U8, dims + 1, 3, frame, 4, o.arena, o.arena_length) ==
          SZ_ENGINE_OK);
    /* 0 -> 10; 1 / 0.5 + 10; 62.75 / 0.5 = 125.5 -> 126 + 10 too great; 510 + 10 too great. */
    CHECK(x[0] == 10 && x[1] == 12 && x[2] == 127 && x[3] == 127);
    CHECK(run_all(&o) == SZ_ENGINE_OK && x[1] == 12);
    const float reals[4] = {0.75f, -1.25f, NAN, 1e30f};
    CHECK(sz_input_write(&o.graph, SZ_INPUT_F32, dims, 4, reals, 16, o.arena, o.arena_length) ==
          SZ_ENGINE_OK);
    CHECK(x[0] == 12 && x[1] == 8 && x[2] == -128 && x[3] == 127);
    CHECK(sz_input_write(&o.graph, SZ_INPUT_I8, dims, 4, frame, 4, o.arena, o.arena_length) == SZ_ENGINE_OK);
    CHECK(sz_input_write(&o.graph, SZ_INPUT_I8, dims, 4, o.arena, 4, o.arena, o.arena_length) ==
          SZ_ENGINE_OK);
    CHECK(memcmp(o.arena, frame, 4) == 0);
    CHECK(x[0] == 4 && x[3] == -1);
    /* Wrong shapes, lengths, formats. */
    const uint32_t other[4] = {1, 2, 1, 2};
    CHECK(sz_input_write(&o.graph, SZ_INPUT_U8, other, 4, frame, 4, o.arena, o.arena_length) ==
          SZ_ENGINE_INPUT);
    CHECK(sz_input_write(&o.graph, SZ_INPUT_U8, dims + 2, 2, frame, 4, o.arena, o.arena_length) ==
          SZ_ENGINE_INPUT);
    CHECK(sz_input_write(&o.graph, SZ_INPUT_U8, dims, 4, frame, 3, o.arena, o.arena_length) ==
          SZ_ENGINE_INPUT);
    CHECK(sz_input_write(&o.graph, SZ_INPUT_F32, dims, 4, reals, 15, o.arena, o.arena_length) ==
          SZ_ENGINE_INPUT);
    CHECK(sz_input_write(&o.graph, SZ_INPUT_F32, dims, 4, frame, 4, o.arena, o.arena_length) ==
          SZ_ENGINE_INPUT);
    CHECK(sz_input_write(&o.graph, (enum sz_input_format)9, dims, 4, frame, 4, o.arena, o.arena_length) ==
          SZ_ENGINE_INPUT);
    CHECK(sz_input_write(&o.graph, SZ_INPUT_U8, dims, 4, frame, 4, o.arena, o.arena_length - 1) ==
          SZ_ENGINE_ARENA);
    CHECK(sz_input_write(&o.graph, SZ_INPUT_U8, dims, 4, frame, 4, o.arena + 1, o.arena_length) ==
          SZ_ENGINE_ARENA);
    close_sample(&o);
}

static void inputs_of_float(void)
{
    struct opened o;
    open_copy(&o, SZ_F32, SHAPE(1, 6), 0, 0);
    for (int i = 0; i < 4; i++) {
        /* Six channels: only a[0] and b[0] count. */
        o.b.header.input_a[i] = i == 0 ? 2.0f / 255 : 77;
        o.b.header.input_b[i] = i == 0 ? -1 : 77;
    }
    open_sample(&o);
    const uint32_t dims[2] = {1, 6};
    const uint8_t frame[6] = {0, 255, 51, 102, 153, 204};
    const float *x = (const float *)(const void *)o.arena;
    CHECK(sz_input_write(&o.graph, SZ_INPUT_U8, dims, 2, frame, 6, o.arena, o.arena_length) == SZ_ENGINE_OK);
    CHECK(x[0] == -1 && fabsf(x[1] - 1) < 1e-6f && fabsf(x[5] - 0.6f) < 1e-6f);
    /* From the tensor's own end, and not from anywhere before it. */
    memset(o.arena, 0, o.arena_length);
    memcpy(o.arena + 18, frame, 6);
    CHECK(sz_input_write(&o.graph, SZ_INPUT_U8, dims, 2, o.arena + 18, 6, o.arena, o.arena_length) ==
          SZ_ENGINE_OK);
    CHECK(x[0] == -1 && fabsf(x[1] - 1) < 1e-6f && fabsf(x[5] - 0.6f) < 1e-6f);
    for (size_t at = 0; at < 18; at++)
        CHECK(sz_input_write(&o.graph, SZ_INPUT_U8, dims, 2, o.arena + at, 6, o.arena, o.arena_length) ==
              SZ_ENGINE_INPUT);
    CHECK(sz_input_write(&o.graph, SZ_INPUT_I8, dims, 2, frame, 6, o.arena, o.arena_length) ==
          SZ_ENGINE_INPUT);
    close_sample(&o);
}

static void pieces(void)
{
    struct opened o;
    struct sz_fault fault;
    int8_t input[108], whole[5];
    sample_classifier(&o.b);
    open_sample(&o);
    uint32_t ops = o.b.header.op_count;
    const struct sz_tensor_record *y;
    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (int8_t)random_u32();
    CHECK(sz_input_write(&o.graph, SZ_INPUT_I8, o.b.tensors[0].dims, 4, input, 108, o.arena,
                         o.arena_length) == SZ_ENGINE_OK);
    CHECK(run_all(&o) == SZ_ENGINE_OK);
    memcpy(whole, sz_graph_output(&o.graph, 0, o.arena, o.arena_length, &y), sizeof(whole));
    CHECK(y->bytes == 5 && sz_graph_output(&o.graph, 1, o.arena, o.arena_length, &y) == NULL);
    /* Only one segment at a time: stops before operator 5, and goes on there. */
    struct sz_segment one[2] = {o.segments[0], {NULL, 0}};
    memset(o.arena, 0, o.arena_length);
    (void)sz_input_write(&o.graph, SZ_INPUT_I8, o.b.tensors[0].dims, 4, input, 108, o.arena, o.arena_length);
    CHECK(sz_graph_run_ops(&o.graph, one, 2, o.arena, o.arena_length, 0, ops, &fault) == SZ_ENGINE_SEGMENT);
    CHECK(fault.op == 5);
    one[1] = o.segments[1];
    one[0].bytes = NULL;
    CHECK(sz_graph_run_ops(&o.graph, one, 2, o.arena, o.arena_length, fault.op, ops - fault.op, &fault) ==
          SZ_ENGINE_OK);
    CHECK(memcmp(whole, sz_graph_output(&o.graph, 0, o.arena, o.arena_length, &y), sizeof(whole)) == 0);
    /* Segments of another length or count, ranges that do not exist. */
    one[0] = o.segments[0];
    one[0].length--;
    CHECK(sz_graph_run_ops(&o.graph, one, 2, o.arena, o.arena_length, 0, 1, NULL) == SZ_ENGINE_SEGMENT);
    CHECK(sz_graph_run_ops(&o.graph, one, 1, o.arena, o.arena_length, 0, 1, NULL) == SZ_ENGINE_SEGMENT);
    CHECK(sz_graph_run_ops(&o.graph, o.segments, 2, o.arena, o.arena_length, 1, ops, NULL) ==
          SZ_ENGINE_RANGE);
    CHECK(sz_graph_run_ops(&o.graph, o.segments, 2, o.arena, o.arena_length, 0xffffffffu, 2, NULL) ==
          SZ_ENGINE_RANGE);
    CHECK(sz_graph_run_ops(&o.graph, o.segments, 2, o.arena, o.arena_length - 1, 0, 1, NULL) ==
          SZ_ENGINE_ARENA);
    close_sample(&o);
}

static enum sz_engine_status head_of(struct opened *o, struct sz_result *results, size_t capacity,
                                     size_t *count)
{
    return sz_head_results(&o->graph, o->segments, o->b.header.segment_count, o->arena, o->arena_length,
                           o->work, o->work_length, results, capacity, count);
}

static void top_k(void)
{
    struct opened o;
    struct sz_result r[3];
    size_t count;
    sample_classifier(&o.b);
    open_sample(&o);
    const int8_t shares[5] = {-100, 0, 50, 0, -128};
    memcpy(o.arena + o.b.tensors[7].offset, shares, 5);
    CHECK(head_of(&o, r, 2, &count) == SZ_ENGINE_CAPACITY);
    CHECK(head_of(&o, r, 3, &count) == SZ_ENGINE_OK && count == 3);
    CHECK(r[0].class_index == 2 && r[0].score == 178.0f / 256);
    CHECK(r[1].class_index == 1 && r[2].class_index == 3 && r[2].score == 0.5f);
    close_sample(&o);
    sample_classifier(&o.b);
    o.b.header.head.flags = SZ_HEAD_SOFTMAX;
    o.b.header.head.floats[0] = 0.25f;
    open_sample(&o);
    memcpy(o.arena + o.b.tensors[7].offset, shares, 5);
    CHECK(head_of(&o, r, 3, &count) == SZ_ENGINE_OK && count == 1);
    double sum = 0;
    for (int i = 0; i < 5; i++)
        sum += exp((shares[i] + 128) / 256.0);
    CHECK(fabs((double)r[0].score - exp(178 / 256.0) / sum) < 1e-6);
    close_sample(&o);
}

static void reconstruction(void)
{
    struct opened o;
    struct sz_result r[1];
    size_t count;
    sample_autoencoder(&o.b);
    open_sample(&o);
    memset(o.arena, 9, 16);      /* 0.0 */
    memset(o.arena + 32, 6, 16); /* 0.0 */
    CHECK(head_of(&o, r, 1, &count) == SZ_ENGINE_OK && count == 1 && r[0].score == 0 &&
          r[0].class_index == 0);
    o.arena[0] = 9 + 32; /* 16.0: 256 / 16 values */
    CHECK(head_of(&o, r, 1, &count) == SZ_ENGINE_OK && r[0].score == 16 && r[0].class_index == 1);
    close_sample(&o);
}

static void vector(void)
{
    struct opened o;
    struct sz_result r[1];
    size_t count;
    sample_autoencoder(&o.b);
    o.b.header.head.kind = SZ_HEAD_VECTOR;
    o.b.header.head.max_results = 0;
    o.b.header.head.floats[0] = 0;
    open_sample(&o);
    memset(o.arena + 32, 8, 16);
    const struct sz_tensor_record *t = &o.graph.tensors[o.graph.header->head.tensors[0]];
    CHECK(sz_value_at(t, o.arena + t->offset, 0) == 1.0f && sz_value_at(t, o.arena + t->offset, 15) == 1.0f);
    CHECK(head_of(&o, r, 1, &count) == SZ_ENGINE_OK && count == 0);
    close_sample(&o);
}

/* Eight anchors, centre (.5, .5), size 1; raw box values over 10; six values per anchor. */
static void place_box(float *boxes, int anchor, float x, float y, float w, float h)
{
    boxes[anchor * 6 + 0] = (x - 0.5f) * 10;
    boxes[anchor * 6 + 1] = (y - 0.5f) * 10;
    boxes[anchor * 6 + 2] = w * 10;
    boxes[anchor * 6 + 3] = h * 10;
}

static void open_detector(struct opened *o, uint8_t flags)
{
    sample_detector(&o->b);
    float *anchors = (float *)(void *)(o->b.segments[0] + o->b.tensors[o->b.header.head.tensors[2]].offset);
    for (int i = 0; i < 8; i++) {
        anchors[i * 4] = anchors[i * 4 + 1] = 0.5f;
        anchors[i * 4 + 2] = anchors[i * 4 + 3] = 1;
    }
    o->b.header.head.flags = flags;
    open_sample(o);
    float *boxes = (float *)(void *)(o->arena + 96);
    float *scores = (float *)(void *)(o->arena + 64);
    const float raw[8] = {0, 2, 1, NAN, -1, 1000, -1000, 2};
    memcpy(scores, raw, sizeof(raw));
    for (int i = 0; i < 8; i++)
        place_box(boxes, i, 0.5f, 0.5f, 0.1f, 0.1f);
    /* 1 and 2 overlap, 0 lies apart, 5 is no box, 7 lies apart from all others. */
    place_box(boxes, 0, 0.2f, 0.2f, 0.2f, 0.2f);
    place_box(boxes, 1, 0.6f, 0.6f, 0.2f, 0.2f);
    place_box(boxes, 2, 0.64f, 0.6f, 0.2f, 0.2f);
    place_box(boxes, 5, INFINITY, 0.6f, 0.2f, 0.2f);
    place_box(boxes, 7, 0.2f, 0.8f, 0.2f, 0.2f);
}

static void detections(void)
{
    struct opened o;
    struct sz_result r[8];
    size_t count;
    double s1 = 1 / (1 + exp(-1.0)), s2 = 1 / (1 + exp(-2.0));
    open_detector(&o, SZ_HEAD_SIGMOID | SZ_HEAD_WEIGHTED);
    CHECK(head_of(&o, r, 8, &count) == SZ_ENGINE_OK && count == 3);
    /* 1 took 2 (IoU 0.16 / 0.24), then 7, then 0. */
    CHECK(fabs((double)r[0].score - s2) < 1e-6 && fabs((double)r[2].score - 0.5) < 1e-6);
    CHECK(fabs((double)r[0].box[0] - (0.5 * s2 + 0.54 * s1) / (s1 + s2)) < 1e-6);
    CHECK(fabs((double)r[0].box[3] - 0.7) < 1e-6 && fabs((double)r[1].box[1] - 0.7) < 1e-6);
    CHECK(fabs((double)r[2].box[0] - 0.1) < 1e-6);
    close_sample(&o);
    open_detector(&o, SZ_HEAD_SIGMOID);
    CHECK(head_of(&o, r, 8, &count) == SZ_ENGINE_OK && count == 3 && fabs((double)r[0].box[0] - 0.5) < 1e-6);
    /* The anchors' segment is needed. */
    o.segments[0].bytes = NULL;
    CHECK(head_of(&o, r, 8, &count) == SZ_ENGINE_SEGMENT && count == 0);
    close_sample(&o);
    /* y, x, h, w and exponential sizes: width exp(1), height exp(2) times the anchor's 1. */
    open_detector(&o, SZ_HEAD_SIGMOID | SZ_HEAD_YX | SZ_HEAD_EXP_SIZE);
    float *boxes = (float *)(void *)(o.arena + 96);
    place_box(boxes, 1, 0.7f, 0.9f, 2, 1);
    CHECK(head_of(&o, r, 8, &count) == SZ_ENGINE_OK && count >= 1);
    CHECK(fabs((double)(r[0].box[2] - r[0].box[0]) - exp(1)) < 1e-5);
    CHECK(fabs((double)(r[0].box[3] - r[0].box[1]) - exp(2)) < 1e-5);
    CHECK(fabs((double)(r[0].box[0] + r[0].box[2]) / 2 - 0.9) < 1e-5);
    close_sample(&o);
}

/* YOLO's cells by the formulas of Redmon & Farhadi (2016, section 2; 2018, section 2.1), in double: every row
 * and class, the best first, then each class suppressed by itself. */
static size_t found_in_cells(const struct opened *o, bool softmax, struct sz_result *found,
                             size_t *covered_boxes)
{
    const struct sz_head_record *head = &o->b.header.head;
    const struct sz_tensor_record *t = &o->b.tensors[head->tensors[0]],
                                  *anchors = &o->b.tensors[head->tensors[2]];
    const int8_t *q = (const int8_t *)(o->arena + t->offset);
    const float *prior = (const float *)(const void *)(o->b.segments[anchors->segment] + anchors->offset);
    struct sz_result all[30];
    size_t count = 0, kept = 0;
    for (int row = 0; row < 10; row++) {
        double v[8], classes = 0;
        const float *p = prior + row * 6;
        for (int i = 0; i < 8; i++)
            v[i] = (q[row * 8 + i] - t->zero_point) * (double)t->scale;
        for (int k = 5; k < 8; k++)
            classes += exp(v[k]);
        for (int k = 5; k < 8; k++) {
            double share = softmax ? exp(v[k]) / classes : 1 / (1 + exp(-v[k]));
            double x = (double)p[0] - (double)p[4] / 2 + (double)p[4] / (1 + exp(-v[0]));
            double y = (double)p[1] - (double)p[5] / 2 + (double)p[5] / (1 + exp(-v[1]));
            double w = (double)p[2] * exp(v[2]), h = (double)p[3] * exp(v[3]);
            struct sz_result r = {
                .class_index = (uint16_t)(k - 5),
                .score = (float)(share / (1 + exp(-v[4]))),
                .box = {(float)(x - w / 2), (float)(y - h / 2), (float)(x + w / 2), (float)(y + h / 2)}};
            size_t at = count;
            if (r.score < head->floats[5])
                continue;
            for (; at > 0 && r.score > all[at - 1].score; at--)
                all[at] = all[at - 1];
            all[at] = r;
            count++;
        }
    }
    for (size_t i = 0; i < count && kept < 8; i++) {
        bool covered = false;
        for (size_t k = 0; k < kept; k++) {
            const float *a = all[i].box, *b = found[k].box;
            float w = fminf(a[2], b[2]) - fmaxf(a[0], b[0]), h = fminf(a[3], b[3]) - fmaxf(a[1], b[1]);
            float common = w > 0 && h > 0 ? w * h : 0;
            float whole = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common;
            covered |= found[k].class_index == all[i].class_index && common > head->floats[6] * whole;
        }
        *covered_boxes += covered;
        if (!covered)
            found[kept++] = all[i];
    }
    return kept;
}

static void cells(void)
{
    size_t suppressed = 0, whole_lists = 0;
    for (int round = 0; round < 200; round++) {
        struct opened o;
        struct sz_result r[8], expected[8];
        size_t count, most;
        bool softmax = round % 2 == 1;
        sample_cells(&o.b);
        if (softmax)
            o.b.header.head.flags ^= SZ_HEAD_SIGMOID | SZ_HEAD_SOFTMAX;
        open_sample(&o);
        const struct sz_tensor_record *t = &o.b.tensors[o.b.header.head.tensors[0]];
        for (uint32_t i = 0; i < t->bytes; i++)
            ((int8_t *)o.arena)[t->offset + i] = (int8_t)random_between(-40, 40);
        most = found_in_cells(&o, softmax, expected, &suppressed);
        CHECK(head_of(&o, r, 8, &count) == SZ_ENGINE_OK && count == most);
        for (size_t i = 0; i < count && i < most; i++) {
            CHECK(r[i].class_index == expected[i].class_index);
            CHECK(fabsf(r[i].score - expected[i].score) < 1e-5f);
            for (int k = 0; k < 4; k++)
                CHECK(fabsf(r[i].box[k] - expected[i].box[k]) < 1e-5f * (1 + fabsf(expected[i].box[k])));
        }
        whole_lists += count > 0 && count < 8;
        close_sample(&o);
    }
    CHECK(suppressed > 10 && whole_lists > 50);
}

int main(void)
{
    inputs_of_int8();
    inputs_of_float();
    pieces();
    top_k();
    reconstruction();
    vector();
    detections();
    cells();
    printf("inputs, pieces and heads: %s\n", failures ? "FAILED" : "ok");
    return failures != 0;
}
