/* Brings a frame into the input tensor. The data may lie in the arena itself (engine.h says how): elements
 * are converted in ascending order, each read before anything is written behind it. */
#include "engine.h"
#include "requant.h"

static bool is_shape_of(const struct sz_tensor_record *t, const uint32_t *dims, size_t rank)
{
    uint32_t skip = t->rank > 1 && rank + 1u == t->rank && t->dims[0] == 1 ? 1 : 0;
    if (dims == NULL || rank + skip != t->rank)
        return false;
    for (uint32_t i = 0; i < rank; i++)
        if (dims[i] != t->dims[skip + i])
            return false;
    return true;
}

static int8_t quantise(float real, const struct sz_tensor_record *t)
{
    struct sz_bounds bounds = {-128, 127};
    return sz_quantise_scaled(real / t->scale, t->zero_point, bounds);
}

enum { BLOCK = 512 };

static void write_u8_as_f32(const struct sz_graph_header *h, size_t channels, const uint8_t *data,
                            size_t elements, float *x)
{
    size_t period = channels <= 4 ? channels : 1;
    bool same = true;
    for (size_t c = 1; c < period; c++)
        same = same && h->input_a[c] == h->input_a[0] && h->input_b[c] == h->input_b[0];
    if (same) {
        float a = h->input_a[0], b = h->input_b[0];
        /* By way of a copy: the data often lies in the tensor's own end, where single bytes would be
         * converted one after the other. No block is written over bytes behind its own (is_overtaken()). */
        for (size_t i = 0; i < elements; i += BLOCK) {
            size_t n = elements - i < BLOCK ? elements - i : BLOCK;
            uint8_t block[BLOCK];
            memcpy(block, data + i, n);
            for (size_t j = 0; j < n; j++)
                x[i + j] = (float)block[j] * a + b;
        }
        return;
    }
    for (size_t i = 0, c = 0; i < elements; i++) {
        x[i] = (float)data[i] * h->input_a[c] + h->input_b[c];
        c = c + 1 < period ? c + 1 : 0;
    }
}

/* Pictures whose quantisation is that of their bytes: most of them. */
static bool is_shift(const int8_t table[256])
{
    for (int32_t u = 0; u < 256; u++)
        if (table[u] != u - 128)
            return false;
    return true;
}

static void write_u8_as_i8(const struct sz_graph_header *h, const struct sz_tensor_record *t, size_t channels,
                           const uint8_t *data, size_t elements, int8_t *x)
{
    int8_t table[4][256];
    size_t period = channels <= 4 ? channels : 1;
    for (size_t c = 0; c < period; c++)
        for (uint32_t u = 0; u < 256; u++)
            table[c][u] = quantise((float)u * h->input_a[c] + h->input_b[c], t);
    bool shifted = true;
    for (size_t c = 0; c < period; c++)
        shifted = shifted && is_shift(table[c]);
    if (shifted) {
        memmove(x, data, elements);
        for (size_t i = 0; i < elements; i++)
            x[i] = (int8_t)(x[i] ^ -128);
        return;
    }
    for (size_t i = 0, c = 0; i < elements; i++) {
        x[i] = table[c][data[i]];
        c = c + 1 < period ? c + 1 : 0;
    }
}

/* Would the conversion overtake the data? */
static bool is_overtaken(const void *data, size_t length, const void *tensor, size_t bytes)
{
    uintptr_t from = (uintptr_t)data, to = (uintptr_t)tensor;
    return from < to + bytes && to < from + length && (from < to || from + length < to + bytes);
}

enum sz_engine_status sz_input_write(const struct sz_graph *graph, enum sz_input_format format,
                                     const uint32_t *dims, size_t rank, const void *data, size_t length,
                                     void *arena, size_t arena_length)
{
    const struct sz_graph_header *h = graph->header;
    const struct sz_tensor_record *t = &graph->tensors[h->input];
    bool is_f32 = t->dtype == SZ_F32;
    size_t elements = t->bytes / (is_f32 ? sizeof(float) : 1);
    size_t channels = t->dims[t->rank - 1];
    if (arena == NULL || arena_length < h->arena_size || (uintptr_t)arena % SZ_ALIGNMENT != 0)
        return SZ_ENGINE_ARENA;
    if (data == NULL || !is_shape_of(t, dims, rank))
        return SZ_ENGINE_INPUT;
    if (length % (format == SZ_INPUT_F32 ? sizeof(float) : 1) != 0 ||
        length / (format == SZ_INPUT_F32 ? sizeof(float) : 1) != elements)
        return SZ_ENGINE_INPUT;
    void *x = (uint8_t *)arena + t->offset;
    if (is_overtaken(data, length, x, t->bytes))
        return SZ_ENGINE_INPUT;
    switch (format) {
    case SZ_INPUT_U8:
        if (is_f32)
            write_u8_as_f32(h, channels, data, elements, x);
        else
            write_u8_as_i8(h, t, channels, data, elements, x);
        return SZ_ENGINE_OK;
    case SZ_INPUT_I8:
        if (is_f32)
            return SZ_ENGINE_INPUT;
        memmove(x, data, length);
        return SZ_ENGINE_OK;
    case SZ_INPUT_F32:
        if (is_f32) {
            memmove(x, data, length);
            return SZ_ENGINE_OK;
        }
        for (size_t i = 0; i < elements; i++) {
            float real;
            __builtin_memcpy(&real, (const uint8_t *)data + i * sizeof(real), sizeof(real));
            ((int8_t *)x)[i] = quantise(real, t);
        }
        return SZ_ENGINE_OK;
    default:
        return SZ_ENGINE_INPUT;
    }
}
