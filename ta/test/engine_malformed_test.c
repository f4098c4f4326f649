/*
 * Altered graphs: every byte of three good graphs set to other values, and many random combinations. Each
 * must be refused, or run on hostile weights without a read or write outside its buffers (the sanitizers
 * watch: every buffer has exactly its declared size). And single alterations that must be refused, with the
 * status and place they give.
 */
#include "engine_samples.h"
#include "tinylib/target.h"

#define RANDOM_ROUNDS 60000

static uint32_t accepted, refused;

/* Runs an altered graph that was accepted, on weights of any content (also NaN), with its head. */
static void run_accepted(const struct sz_graph *graph, void *work, size_t work_length)
{
    static struct sz_segment segments[SZ_MAX_SEGMENTS];
    const struct sz_graph_header *h = graph->header;
    struct sz_result results[SZ_MAX_RESULTS];
    const struct sz_tensor_record *in = &graph->tensors[h->input];
    size_t count;
    /* Bigger buffers than the sample's are only a waste of time here. */
    if (h->arena_size > 1u << 16)
        return;
    for (int i = 0; i < h->segment_count; i++)
        if (graph->segment_bytes[i] > 1u << 16)
            return;
    for (int i = 0; i < h->segment_count; i++) {
        /* malloc aligns to 16 bytes. */
        uint8_t *bytes = malloc(graph->segment_bytes[i] + (graph->segment_bytes[i] == 0));
        for (uint32_t k = 0; k < graph->segment_bytes[i]; k++)
            bytes[k] = (uint8_t)(random_between(0, 3) == 0 ? 0xff : random_u32());
        segments[i] = (struct sz_segment){bytes, graph->segment_bytes[i]};
    }
    uint8_t *arena = malloc(h->arena_size);
    for (uint32_t i = 0; i < h->arena_size; i++)
        arena[i] = (uint8_t)random_u32();
    uint8_t *frame = malloc(in->bytes);
    memset(frame, 0x7f, in->bytes);
    size_t elements = in->dtype == SZ_F32 ? in->bytes / 4 : in->bytes;
    CHECK(sz_input_write(graph, SZ_INPUT_U8, in->dims, in->rank, frame, elements, arena, h->arena_size) ==
          SZ_ENGINE_OK);
    CHECK(sz_graph_run_ops(graph, segments, h->segment_count, arena, h->arena_size, 0, h->op_count, NULL) ==
          SZ_ENGINE_OK);
    CHECK(sz_head_results(graph, segments, h->segment_count, arena, h->arena_size, work, work_length, results,
                          SZ_MAX_RESULTS, &count) == SZ_ENGINE_OK);
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < 4; k++)
            CHECK(results[i].score - results[i].score == 0 && results[i].box[k] - results[i].box[k] == 0);
    free(frame);
    free(arena);
    for (int i = 0; i < h->segment_count; i++)
        free((void *)(uintptr_t)segments[i].bytes);
}

static enum sz_engine_status open_and_run(const uint8_t *bytes, size_t length)
{
    struct sz_graph graph;
    struct sz_fault fault;
    /* Of the exact length, so that a read behind it shows. */
    uint8_t *copy = malloc(length > 0 ? length : 1);
    memcpy(copy, bytes, length);
    size_t work_length = sz_graph_work_size(copy, length);
    void *work = malloc(work_length > 0 ? work_length : 1);
    enum sz_engine_status status = sz_graph_open(&graph, copy, length, work, work_length, &fault);
    if (status == SZ_ENGINE_OK) {
        accepted++;
        run_accepted(&graph, work, work_length);
    } else {
        refused++;
        CHECK(graph.header == NULL);
    }
    free(work);
    free(copy);
    return status;
}

static void every_byte(const uint8_t *bytes, size_t length)
{
    static const uint8_t others[] = {0x01, 0x02, 0x80, 0xff, 0x10, 0x7f};
    uint8_t *altered = malloc(length);
    for (size_t at = 0; at < length; at++) {
        for (size_t k = 0; k < sizeof(others); k++) {
            memcpy(altered, bytes, length);
            altered[at] = (uint8_t)(k < 4 ? altered[at] ^ others[k] : altered[at] + others[k]);
            open_and_run(altered, length);
        }
    }
    free(altered);
}

static void every_length(const uint8_t *bytes, size_t length)
{
    for (size_t shorter = 0; shorter < length; shorter += 4)
        CHECK(open_and_run(bytes, shorter) != SZ_ENGINE_OK);
    uint8_t *longer = calloc(1, length + 8);
    memcpy(longer, bytes, length);
    CHECK(open_and_run(longer, length + 8) != SZ_ENGINE_OK);
    free(longer);
}

static void random_alterations(const uint8_t *bytes, size_t length)
{
    static const uint8_t often[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 0x7f, 0x80, 0xff};
    uint8_t *altered = malloc(length);
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        memcpy(altered, bytes, length);
        int32_t times = random_between(1, 5);
        for (int32_t i = 0; i < times; i++) {
            size_t at = random_u32() % length;
            /* Mostly behind the header: what is in it is nearly always refused. */
            if (at < sizeof(struct sz_graph_header) && random_between(0, 9) != 0)
                at =
                    sizeof(struct sz_graph_header) + random_u32() % (length - sizeof(struct sz_graph_header));
            altered[at] = random_between(0, 1) ? often[random_u32() % sizeof(often)] : (uint8_t)random_u32();
        }
        open_and_run(altered, length);
    }
    free(altered);
}

typedef void (*sample)(struct builder *);

static void check_refused(struct builder *b, sample again, enum sz_engine_status status, uint16_t op,
                          uint16_t tensor, int line)
{
    struct sz_fault fault;
    enum sz_engine_status got = build_open(b, &fault);
    if (got != status || fault.op != op || fault.tensor != tensor) {
        fprintf(stderr, "line %d: status %d, operator %u, tensor %u\n", line, (int)got, (unsigned)fault.op,
                (unsigned)fault.tensor);
        failures++;
    }
    build_free(b);
    again(b);
}

#define REFUSED(alteration, status, op, tensor)                                                              \
    do {                                                                                                     \
        alteration;                                                                                          \
        check_refused(&b, again, status, op, tensor, __LINE__);                                              \
    } while (0)

/* Tensors of the classifier: 0 x, 1 conv, 2 depthwise, 3 sum, 4 pooled, 5 vector, 6 scores, 7 shares, then
 * weights. */
static void classifier_status(void)
{
    struct builder b;
    sample again = sample_classifier;
    again(&b);
    REFUSED((void)0, SZ_ENGINE_OK, SZ_NONE, SZ_NONE);
    REFUSED(b.header.magic = 1, SZ_ENGINE_MAGIC, SZ_NONE, SZ_NONE);
    REFUSED(b.header.version = 2, SZ_ENGINE_VERSION, SZ_NONE, SZ_NONE);
    REFUSED(b.header.target = 9, SZ_ENGINE_VERSION, SZ_NONE, SZ_NONE);
    REFUSED(b.header.reserved2[15] = 1, SZ_ENGINE_RESERVED, SZ_NONE, SZ_NONE);
    REFUSED(b.header.output_count = 0, SZ_ENGINE_LIMIT, SZ_NONE, SZ_NONE);
    REFUSED(b.header.arena_size = 700, SZ_ENGINE_BOUNDS, SZ_NONE, 2);
    REFUSED(b.tensors[1].dtype = 9, SZ_ENGINE_TENSOR, SZ_NONE, 1);
    REFUSED(b.tensors[1].bytes--, SZ_ENGINE_TENSOR, SZ_NONE, 1);
    REFUSED(b.tensors[1].dims[0] = 0, SZ_ENGINE_TENSOR, SZ_NONE, 1);
    REFUSED(b.tensors[1].offset += 8, SZ_ENGINE_BOUNDS, SZ_NONE, 1);
    REFUSED(b.tensors[1].offset = 0xfffffff0u, SZ_ENGINE_BOUNDS, SZ_NONE, 1);
    REFUSED(b.tensors[8].segment = 2, SZ_ENGINE_BOUNDS, SZ_NONE, 8);
    REFUSED(b.tensors[1].scale = 1.0f / 0.0f, SZ_ENGINE_QUANTISATION, SZ_NONE, 1);
    REFUSED(b.tensors[1].scale = -1, SZ_ENGINE_QUANTISATION, SZ_NONE, 1);
    REFUSED(b.tensors[1].zero_point = 128, SZ_ENGINE_QUANTISATION, SZ_NONE, 1);
    REFUSED(b.tensors[2].scale = 1e6f, SZ_ENGINE_QUANTISATION, 2, SZ_NONE);
    REFUSED(b.ops[0].code = 99, SZ_ENGINE_OPERATOR, 0, SZ_NONE);
    REFUSED(b.ops[0].inputs[0] = 200, SZ_ENGINE_OPERATOR, 0, 200);
    REFUSED(b.ops[0].inputs[1] = 0, SZ_ENGINE_OPERATOR, 0, SZ_NONE);
    REFUSED(b.ops[0].ints[0] = 0, SZ_ENGINE_PARAMETER, 0, SZ_NONE);
    REFUSED(b.ops[0].ints[0] = 2, SZ_ENGINE_SHAPE, 0, SZ_NONE);
    REFUSED(b.ops[0].ints[4] = -1, SZ_ENGINE_PARAMETER, 0, SZ_NONE);
    REFUSED(b.ops[0].ints[8] = 3, SZ_ENGINE_SHAPE, 0, SZ_NONE);
    REFUSED(b.ops[0].ints[11] = 1, SZ_ENGINE_RESERVED, 0, SZ_NONE);
    REFUSED(b.ops[0].scratch = 0, SZ_ENGINE_RESERVED, 0, SZ_NONE);
    REFUSED(b.ops[6].activation = SZ_ACT_RELU, SZ_ENGINE_PARAMETER, 6, SZ_NONE);
    REFUSED(b.ops[6].floats[0] = 0.0f / 0.0f, SZ_ENGINE_PARAMETER, 6, SZ_NONE);
    /* Three depthwise kernels of 1x3; a fully connected layer that 32 values do not fill. */
    REFUSED(b.tensors[11].dims[0] = 3; b.tensors[11].dims[1] = 1;
            b.ops[1].ints[4] = b.ops[1].ints[6] = 0, SZ_ENGINE_SHAPE, 1, SZ_NONE);
    REFUSED(b.tensors[14].dims[1] = 20; b.tensors[14].bytes = 100, SZ_ENGINE_SHAPE, 5, SZ_NONE);
    /* A convolution in place; an addition that overlaps its input by half. */
    REFUSED(b.tensors[1].offset = 0, SZ_ENGINE_OVERLAP, 0, 0);
    REFUSED(b.tensors[3].offset = 256, SZ_ENGINE_OVERLAP, 2, 1);
    /* The depthwise output overwrites half of what the addition still reads. */
    REFUSED(b.tensors[2].offset = 416 - 16, SZ_ENGINE_OVERLAP, 1, 1);
    REFUSED(b.ops[2].inputs[1] = 0; b.ops[2].inputs[0] = 3, SZ_ENGINE_SHAPE, 2, SZ_NONE);
    /* Read before it was written; read after it was overwritten. */
    REFUSED(b.ops[1].inputs[0] = 3, SZ_ENGINE_LIVENESS, 1, 3);
    REFUSED(b.ops[5].inputs[0] = 4; b.tensors[6].offset = 0, SZ_ENGINE_OVERLAP, 5, 4);
    REFUSED(b.header.outputs[0] = 6, SZ_ENGINE_LIVENESS, SZ_NONE, 6);
    REFUSED(b.header.head.tensors[0] = 4, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.max_results = 65, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.input_a[3] = 0.0f / 0.0f, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    build_free(&b);
}

/* Tensors of the detector: 0 x, 1 score_map, 2 scores, 3 more, 4 all_scores, 5 box_map, 6 boxes, then
 * weights; last the anchors. */
static void detector_status(void)
{
    struct builder b;
    sample again = sample_detector;
    again(&b);
    uint16_t anchors = b.header.head.tensors[2];
    REFUSED((void)0, SZ_ENGINE_OK, SZ_NONE, SZ_NONE);
    /* One box less; one score less; anchors of five values; scores as boxes. */
    REFUSED(b.tensors[6].dims[1] = 4; b.tensors[6].dims[2] = 12, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.tensors[4].dims[1] = 4; b.tensors[4].dims[2] = 2; b.tensors[4].offset = 512;
            b.ops[3].ints[0] = 2; b.header.arena_size = 544, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.tensors[anchors].dims[0] = 4; b.tensors[anchors].dims[1] = 8, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.tensors[anchors].dims[0] = 7; b.tensors[anchors].bytes -= 16, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.tensors[0] = 4, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.tensors[2] = 4, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.tensors[2] = SZ_NONE, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.first_class = 1, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.floats[0] = 0, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    /* Boxes are no cells. */
    REFUSED(b.header.head.flags = SZ_HEAD_CELLS | SZ_HEAD_SIGMOID, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.flags = 128, SZ_ENGINE_RESERVED, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.floats[7] = 1, SZ_ENGINE_RESERVED, SZ_NONE, SZ_NONE);
    /* The second part of the concat one place further: neither in place nor apart. */
    REFUSED(b.tensors[3].offset = 64, SZ_ENGINE_LIVENESS, 3, 2);
    REFUSED(b.ops[3].inputs[0] = 3; b.ops[3].inputs[1] = 2, SZ_ENGINE_OVERLAP, 3, 3);
    build_free(&b);
}

/* Tensors of the cells: 0 x, 1 fine, 2 pooled, 3 coarse, 4 and 5 their rows, 6 cells, then weights; last the
 * anchors. */
static void cells_status(void)
{
    struct builder b;
    sample again = sample_cells;
    again(&b);
    uint16_t anchors = b.header.head.tensors[2];
    REFUSED((void)0, SZ_ENGINE_OK, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.flags = SZ_HEAD_CELLS | SZ_HEAD_SOFTMAX, SZ_ENGINE_OK, SZ_NONE, SZ_NONE);
    /* Class scores of any size; the objectness as a class; no class; boxes apart from scores. */
    REFUSED(b.header.head.flags = SZ_HEAD_CELLS, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.first_class = 4, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.first_class = 8, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.tensors[0] = 4; build_output(&b, 4), SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.tensors[1] = SZ_NONE, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    /* Anchors without reach; too few; with cells that are no cells they would be read beyond. */
    REFUSED(b.tensors[anchors].dims[1] = 4; b.tensors[anchors].bytes = 160, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.tensors[anchors].dims[0] = 9; b.tensors[anchors].bytes = 216, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    REFUSED(b.header.head.flags ^= SZ_HEAD_CELLS, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    build_free(&b);
}

/* Operators of the layout sample: 0 pad, 1 transpose, 2 slice, 3 and 4 resize, 5 quantise, 6 mul, 7 prelu, 8
 * pool, 9 concat, 10 mean, 11 dequantise. */
static void layout_status(void)
{
    struct builder b;
    sample again = sample_layout;
    again(&b);
    REFUSED((void)0, SZ_ENGINE_OK, SZ_NONE, SZ_NONE);
    REFUSED(b.ops[0].ints[5] = 1, SZ_ENGINE_SHAPE, 0, SZ_NONE);
    REFUSED(b.ops[0].ints[1] = 2; b.ops[0].ints[5] = -1, SZ_ENGINE_PARAMETER, 0, SZ_NONE);
    REFUSED(b.ops[1].ints[1] = 1, SZ_ENGINE_SHAPE, 1, SZ_NONE);
    REFUSED(b.ops[1].ints[0] = 4, SZ_ENGINE_PARAMETER, 1, SZ_NONE);
    REFUSED(b.ops[2].ints[1] = 4, SZ_ENGINE_SHAPE, 2, SZ_NONE);
    REFUSED(b.ops[2].ints[3] = -1, SZ_ENGINE_PARAMETER, 2, SZ_NONE);
    REFUSED(b.ops[3].ints[0] = 1, SZ_ENGINE_PARAMETER, 3, SZ_NONE);
    REFUSED(b.ops[4].ints[0] = 2, SZ_ENGINE_PARAMETER, 4, SZ_NONE);
    REFUSED(b.tensors[6].dtype = SZ_F32; b.tensors[6].scale = 0; b.tensors[6].zero_point = 0;
            b.tensors[6].dims[1] = 1; b.tensors[6].dims[2] = 4, SZ_ENGINE_OPERATOR, 5, SZ_NONE);
    REFUSED(b.ops[7].inputs[1] = 6, SZ_ENGINE_OPERATOR, 7, SZ_NONE);
    REFUSED(b.tensors[9].zero_point = 6, SZ_ENGINE_QUANTISATION, 8, SZ_NONE);
    REFUSED(b.ops[8].ints[4] = 2, SZ_ENGINE_PARAMETER, 8, SZ_NONE);
    REFUSED(b.ops[8].ints[8] = 1, SZ_ENGINE_RESERVED, 8, SZ_NONE);
    REFUSED(b.ops[9].ints[0] = 4, SZ_ENGINE_PARAMETER, 9, SZ_NONE);
    REFUSED(b.ops[9].ints[0] = 2, SZ_ENGINE_SHAPE, 9, SZ_NONE);
    REFUSED(b.ops[9].input_count = 1; b.ops[9].inputs[1] = SZ_NONE, SZ_ENGINE_SHAPE, 9, SZ_NONE);
    REFUSED(b.tensors[11].dims[1] = 1; b.tensors[11].bytes = 1, SZ_ENGINE_SHAPE, 10, SZ_NONE);
    REFUSED(b.header.head.max_results = 1, SZ_ENGINE_HEAD, SZ_NONE, SZ_NONE);
    build_free(&b);
}

static void again_packed(struct builder *b)
{
    (void)sample_packed(b);
}

/* Tensors: 0 x, 1 scratch, 2 y, 3 depthwise, 4 rows, 5 moved, 6 real, 7 points, 8 values, 9 .. weights. */
static void packed_status(void)
{
    struct builder b;
    sample again = again_packed;
    again(&b);
    REFUSED((void)0, SZ_ENGINE_OK, SZ_NONE, SZ_NONE);
    REFUSED(b.header.target = SZ_TARGET_REF, SZ_ENGINE_TENSOR, SZ_NONE, 9);
    REFUSED(b.tensors[9].layout = 3, SZ_ENGINE_TENSOR, SZ_NONE, 9);
    REFUSED(b.tensors[9].bytes -= 16, SZ_ENGINE_TENSOR, SZ_NONE, 9);
    REFUSED(b.tensors[0].layout = SZ_LAYOUT_PANELS, SZ_ENGINE_TENSOR, SZ_NONE, 0);
    REFUSED(b.ops[2].inputs[1] = 9, SZ_ENGINE_OPERATOR, 2, 9);
    /* Scratch that is missing, too short, in the way of input or output; scratch for nothing. */
    REFUSED(b.ops[0].scratch = SZ_NONE, SZ_ENGINE_OPERATOR, 0, SZ_NONE);
    REFUSED(b.tensors[1].dims[0] = b.tensors[1].bytes = 16, SZ_ENGINE_SHAPE, 0, 1);
    REFUSED(b.tensors[1].offset = 0, SZ_ENGINE_OVERLAP, 0, 0);
    REFUSED(b.tensors[1].offset = b.tensors[2].offset; b.header.arena_size += 4096, SZ_ENGINE_OVERLAP, 0, 1);
    REFUSED(b.ops[6].scratch = 1, SZ_ENGINE_RESERVED, 6, SZ_NONE);
    /* Parts that overlap, leave channels out, are of another convolution, or the last one of which is
     * missing. */
    REFUSED(b.ops[1].ints[9] = 15, SZ_ENGINE_PARAMETER, 1, SZ_NONE);
    REFUSED(b.ops[1].ints[9] = 17, SZ_ENGINE_SHAPE, 1, SZ_NONE);
    REFUSED(b.ops[1].activation = SZ_ACT_RELU, SZ_ENGINE_PARAMETER, 1, SZ_NONE);
    REFUSED(b.ops[0].ints[9] = 8, SZ_ENGINE_PARAMETER, 0, SZ_NONE);
    REFUSED(b.header.op_count = 8, SZ_ENGINE_PARAMETER, 7, SZ_NONE);
    /* Depthwise in place with its output a row lower; read again after its place was taken. */
    REFUSED(b.tensors[3].offset += 144, SZ_ENGINE_OVERLAP, 2, 2);
    REFUSED(b.ops[3].inputs[0] = 2; b.tensors[2].zero_point = 3, SZ_ENGINE_LIVENESS, 3, 2);
    build_free(&b);
}

static void again_bands(struct builder *b)
{
    (void)sample_bands(b);
}

/* Tensors: 0 x, 1 scratch, 2 narrow, 3 wide, 4 passing, 5 again, 6 bent, 7 sum, 8 mean. */
static void bands_status(void)
{
    struct builder b;
    sample again = again_bands;
    again(&b);
    REFUSED((void)0, SZ_ENGINE_OK, SZ_NONE, SZ_NONE);
    REFUSED(b.header.band_ops = 8, SZ_ENGINE_LIMIT, SZ_NONE, SZ_NONE);
    REFUSED(b.header.band_ops = 0, SZ_ENGINE_OPERATOR, 0, 2);
    /* The last operator of a stage gives a whole tensor, the others give lines. */
    REFUSED(b.header.band_ops = 5, SZ_ENGINE_OPERATOR, 5, 6);
    REFUSED(b.header.band_ops = 7, SZ_ENGINE_OPERATOR, 5, SZ_NONE);
    /* Part of a row; too few rows for the window; too few for the sum, which comes two rows later. */
    REFUSED(b.tensors[3].bytes -= 16, SZ_ENGINE_TENSOR, 1, SZ_NONE);
    REFUSED(b.tensors[3].bytes = 2 * 8 * 16, SZ_ENGINE_TENSOR, 1, SZ_NONE);
    REFUSED(b.tensors[2].bytes = 1 * 6 * 8, SZ_ENGINE_LIVENESS, 0, SZ_NONE);
    /* Lines that are written while others in their place are needed; in the place of lines with padding. */
    REFUSED(b.tensors[6].offset = b.tensors[5].offset, SZ_ENGINE_LIVENESS, 0, SZ_NONE);
    REFUSED(b.tensors[6].offset = b.tensors[3].offset, SZ_ENGINE_OVERLAP, 1, 6);
    REFUSED(b.tensors[2].offset = 0, SZ_ENGINE_OVERLAP, 0, 2);
    /* Somebody else reads what a depthwise convolution does. */
    REFUSED(b.ops[5].inputs[1] = 3; b.tensors[7].dims[3] = 16; b.tensors[7].bytes *= 2;
            b.ops[5].inputs[0] = 4; b.tensors[8].dims[1] = 16; b.tensors[8].bytes = 16;
            b.header.arena_size += 600, SZ_ENGINE_TENSOR, 1, SZ_NONE);
    /* Read before the stage, and after it. */
    REFUSED(b.ops[1].inputs[0] = 4, SZ_ENGINE_SHAPE, 1, SZ_NONE);
    REFUSED(b.ops[6].inputs[0] = 2, SZ_ENGINE_OPERATOR, 6, 2);
    build_free(&b);
}

/* A square turned into itself, from the arena. */
static void sample_square(struct builder *b)
{
    build_start(b);
    uint16_t x = build_arena(b, SZ_F32, SHAPE(2, 2), 0, 0);
    uint16_t y = build_arena(b, SZ_F32, SHAPE(2, 2), 0, 0);
    (void)build_weight(b, SZ_F32, SHAPE(2, 2), 0, 0, NULL);
    struct sz_op_record *op = build_op(b, SZ_OP_TRANSPOSE, y, x, SZ_NONE, SZ_NONE, SZ_NONE);
    op->ints[0] = 1;
    op->ints[2] = 2;
    op->ints[3] = 3;
    build_input(b, x);
    build_output(b, y);
}

static void square_status(void)
{
    struct builder b;
    sample again = sample_square;
    again(&b);
    REFUSED((void)0, SZ_ENGINE_OK, SZ_NONE, SZ_NONE);
    /* One dimension twice; a constant as input or as output; constants as the graph's input. */
    REFUSED(b.ops[0].ints[1] = 1, SZ_ENGINE_PARAMETER, 0, SZ_NONE);
    REFUSED(b.ops[0].inputs[0] = 2, SZ_ENGINE_OPERATOR, 0, SZ_NONE);
    REFUSED(b.ops[0].outputs[0] = 2, SZ_ENGINE_OPERATOR, 0, SZ_NONE);
    REFUSED(b.header.input = 2, SZ_ENGINE_HEAD, SZ_NONE, 2);
    REFUSED(b.header.outputs[0] = 2, SZ_ENGINE_HEAD, SZ_NONE, 2);
    REFUSED(b.header.outputs[1] = 0, SZ_ENGINE_RESERVED, SZ_NONE, SZ_NONE);
    build_free(&b);
}

int main(void)
{
    const sample samples[] = {sample_classifier, sample_detector, sample_cells, sample_autoencoder,
                              sample_layout,     again_packed,    again_bands};
    bool native = sz_native_kernels() != NULL;
    size_t count = sizeof(samples) / sizeof(samples[0]) - (native ? 0 : 2);
    classifier_status();
    detector_status();
    cells_status();
    layout_status();
    square_status();
    if (native) {
        packed_status();
        bands_status();
    }
    for (size_t i = 0; i < count; i++) {
        struct builder b;
        size_t length;
        samples[i](&b);
        uint8_t *bytes = build_bytes(&b, &length);
        uint32_t before = refused;
        CHECK(open_and_run(bytes, length) == SZ_ENGINE_OK);
        CHECK(refused == before);
        every_byte(bytes, length);
        every_length(bytes, length);
        random_alterations(bytes, length);
        free(bytes);
        build_free(&b);
    }
    /* Both must happen often, or the alterations prove nothing. */
    CHECK(accepted > 1000 && refused > 1000);
    printf("altered graphs, %u run and %u refused: %s\n", (unsigned)accepted, (unsigned)refused,
           failures ? "FAILED" : "ok");
    return failures != 0;
}
