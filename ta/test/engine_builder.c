#include "engine_builder.h"

int failures;
uint32_t random_state = 0x12345678u;

uint32_t random_u32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

int32_t random_between(int32_t low, int32_t high)
{
    return low + (int32_t)(random_u32() % (uint32_t)(high - low + 1));
}

float random_float(float low, float high)
{
    return low + (high - low) * (float)(random_u32() >> 8) / 16777216.0f;
}

void build_start(struct builder *b)
{
    memset(b, 0, sizeof(*b));
    b->header.magic = SZ_GRAPH_MAGIC;
    b->header.version = SZ_GRAPH_VERSION;
    b->header.input = SZ_NONE;
    memset(b->header.outputs, 0xff, sizeof(b->header.outputs));
    memset(b->header.head.tensors, 0xff, sizeof(b->header.head.tensors));
    for (int i = 0; i < 4; i++)
        b->header.input_a[i] = 1.0f;
}

void build_free(struct builder *b)
{
    for (int i = 0; i < BUILD_SEGMENTS; i++)
        free(b->segments[i]);
}

static uint16_t add_tensor(struct builder *b, uint8_t dtype, uint8_t place, struct shape shape, float scale,
                           int32_t zero)
{
    struct sz_tensor_record *t = &b->tensors[b->header.tensor_count];
    t->dtype = dtype;
    t->place = place;
    t->bytes = dtype == SZ_I8 ? 1 : 4;
    for (uint8_t i = 0; i < 4; i++) {
        t->dims[i] = shape.d[i] != 0 ? shape.d[i] : 1;
        t->rank = shape.d[i] != 0 ? (uint8_t)(i + 1) : t->rank;
        t->bytes *= t->dims[i];
    }
    t->scale = dtype == SZ_I8 ? scale : 0.0f;
    t->zero_point = dtype == SZ_I8 ? zero : 0;
    return b->header.tensor_count++;
}

uint16_t build_arena_at(struct builder *b, uint8_t dtype, struct shape shape, float scale, int32_t zero,
                        uint32_t offset)
{
    uint16_t index = add_tensor(b, dtype, SZ_ARENA, shape, scale, zero);
    struct sz_tensor_record *t = &b->tensors[index];
    t->offset = offset;
    if (t->offset + t->bytes > b->header.arena_size)
        b->header.arena_size = t->offset + t->bytes;
    return index;
}

uint16_t build_arena(struct builder *b, uint8_t dtype, struct shape shape, float scale, int32_t zero)
{
    return build_arena_at(b, dtype, shape, scale, zero, (b->header.arena_size + 15u) & ~15u);
}

uint16_t build_weight(struct builder *b, uint8_t dtype, struct shape shape, float scale, int32_t zero,
                      const void *data)
{
    uint16_t index = add_tensor(b, dtype, SZ_WEIGHTS, shape, scale, zero);
    struct sz_tensor_record *t = &b->tensors[index];
    uint32_t offset = (b->segment_bytes[b->segment] + 15u) & ~15u;
    uint32_t end = offset + t->bytes;
    uint8_t *bytes = aligned_alloc(16, (end + 15u) & ~15u);
    memset(bytes, 0, end);
    if (b->segments[b->segment] != NULL)
        memcpy(bytes, b->segments[b->segment], b->segment_bytes[b->segment]);
    free(b->segments[b->segment]);
    for (uint32_t i = 0; i < t->bytes; i++)
        bytes[offset + i] = data != NULL ? ((const uint8_t *)data)[i] : (uint8_t)random_u32();
    b->segments[b->segment] = bytes;
    b->segment_bytes[b->segment] = end;
    t->segment = b->segment;
    t->offset = offset;
    if (b->header.segment_count <= b->segment)
        b->header.segment_count = (uint16_t)(b->segment + 1);
    return index;
}

struct sz_op_record *build_op_n(struct builder *b, uint8_t code, uint16_t y, const uint16_t *in,
                                uint8_t count)
{
    struct sz_op_record *op = &b->ops[b->header.op_count++];
    memset(op->inputs, 0xff, sizeof(op->inputs));
    memset(op->outputs, 0xff, sizeof(op->outputs));
    op->code = code;
    op->scratch = SZ_NONE;
    op->input_count = count;
    op->output_count = 1;
    op->outputs[0] = y;
    memcpy(op->inputs, in, count * sizeof(*in));
    return op;
}

struct sz_op_record *build_op(struct builder *b, uint8_t code, uint16_t y, uint16_t in0, uint16_t in1,
                              uint16_t in2, uint16_t in3)
{
    const uint16_t in[4] = {in0, in1, in2, in3};
    uint8_t count = 0;
    while (count < 4 && in[count] != SZ_NONE)
        count++;
    return build_op_n(b, code, y, in, count);
}

void build_input(struct builder *b, uint16_t tensor)
{
    b->header.input = tensor;
}

void build_output(struct builder *b, uint16_t tensor)
{
    b->header.outputs[b->header.output_count++] = tensor;
}

uint8_t *build_bytes(const struct builder *b, size_t *length)
{
    struct sz_graph_header header = b->header;
    size_t segments = ((size_t)header.segment_count + 1) / 2 * 8;
    size_t tensors = header.tensor_count * sizeof(struct sz_tensor_record);
    size_t ops = header.op_count * sizeof(struct sz_op_record);
    *length = sizeof(header) + segments + tensors + ops;
    header.byte_length = (uint32_t)*length;
    uint8_t *bytes = malloc(*length);
    memset(bytes, 0, *length);
    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + sizeof(header), b->segment_bytes, header.segment_count * sizeof(uint32_t));
    memcpy(bytes + sizeof(header) + segments, b->tensors, tensors);
    memcpy(bytes + sizeof(header) + segments + tensors, b->ops, ops);
    return bytes;
}

enum sz_engine_status build_open(const struct builder *b, struct sz_fault *fault)
{
    size_t length;
    struct sz_graph graph;
    uint8_t *bytes = build_bytes(b, &length);
    size_t work_length = sz_graph_work_size(bytes, length);
    void *work = malloc(work_length + 1);
    enum sz_engine_status status = sz_graph_open(&graph, bytes, length, work, work_length, fault);
    free(work);
    free(bytes);
    return status;
}

uint8_t *build_run(const struct builder *b, const void *input, enum sz_engine_status *status)
{
    size_t length;
    struct sz_graph graph;
    struct sz_segment segments[BUILD_SEGMENTS];
    struct sz_fault fault;
    uint8_t *bytes = build_bytes(b, &length);
    size_t work_length = sz_graph_work_size(bytes, length);
    void *work = malloc(work_length + 1);
    uint8_t *arena = NULL;
    *status = sz_graph_open(&graph, bytes, length, work, work_length, &fault);
    if (*status == SZ_ENGINE_OK) {
        const struct sz_tensor_record *t = &b->tensors[b->header.input];
        for (int i = 0; i < b->header.segment_count; i++)
            segments[i] = (struct sz_segment){b->segments[i], b->segment_bytes[i]};
        void *memory = NULL;
        if (posix_memalign(&memory, 16, b->header.arena_size) != 0)
            abort();
        arena = memory;
        memset(arena, 0xa5, b->header.arena_size);
        *status = sz_input_write(&graph, t->dtype == SZ_F32 ? SZ_INPUT_F32 : SZ_INPUT_I8, t->dims, t->rank,
                                 input, t->bytes, arena, b->header.arena_size);
        if (*status == SZ_ENGINE_OK)
            *status = sz_graph_run_ops(&graph, segments, b->header.segment_count, arena, b->header.arena_size,
                                       0, b->header.op_count, &fault);
    }
    if (*status != SZ_ENGINE_OK)
        fprintf(stderr, "status %d, operator %u, tensor %u\n", (int)*status, (unsigned)fault.op,
                (unsigned)fault.tensor);
    free(work);
    free(bytes);
    return arena;
}
