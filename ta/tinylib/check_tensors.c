/* Every tensor record by itself: type, shape, size, place, quantisation. */
#include "check.h"

#include "packing.h"
#include "target.h"

/* The longest dimension: with strides, dilations and pads of at most SZ_MAX_STEP all coordinates fit int32.
 */
#define SZ_MAX_DIM (1u << 24)

static bool has_exact_size(const struct sz_graph *graph, const struct sz_tensor_record *t)
{
    uint64_t elements = 1;
    for (uint32_t i = 0; i < SZ_MAX_RANK; i++) {
        uint32_t dim = t->dims[i];
        if (dim == 0 || dim > SZ_MAX_DIM || (i >= t->rank && dim != 1))
            return false;
        /* Below 2^31 before, at most 2^24 times that after: no overflow of 64 bits. */
        elements *= dim;
        if (elements >= (uint64_t)1 << 31)
            return false;
    }
    if (t->layout == SZ_LAYOUT_LINES) /* whole rows: check_bands.c */
        return t->bytes > 0 && t->bytes < 1u << 31;
    if (t->layout != SZ_LAYOUT_PLAIN) {
        const struct sz_packing *packing =
            t->dtype == SZ_I8 ? &graph->native->packing_i8 : &graph->native->packing_f32;
        return t->bytes != 0 && sz_packed_bytes(packing, t->layout, t->dtype, t->rank, t->dims) == t->bytes;
    }
    return elements * sz_dtype_size(t->dtype) == t->bytes;
}

static bool is_inside(const struct sz_graph *graph, const struct sz_tensor_record *t)
{
    uint64_t end = (uint64_t)t->offset + t->bytes;
    if (t->offset % SZ_ALIGNMENT != 0)
        return false;
    if (t->place == SZ_ARENA)
        return t->segment == 0 && end <= graph->header->arena_size;
    return t->segment < graph->header->segment_count && end <= graph->segment_bytes[t->segment];
}

static bool is_quantisation_valid(const struct sz_tensor_record *t)
{
    if (t->dtype != SZ_I8)
        return sz_float_bits(t->scale) == 0 && t->zero_point == 0;
    return sz_is_finite(t->scale) && t->scale > 0 && t->zero_point >= -128 && t->zero_point <= 127;
}

static enum sz_engine_status check_tensor(const struct sz_graph *graph, const struct sz_tensor_record *t)
{
    if (t->reserved1 != 0)
        return SZ_ENGINE_RESERVED;
    /* Only a target's own packing is packed, and only weights are; line buffers are in the arena. */
    if (t->layout > SZ_LAYOUT_LINES || (t->layout != SZ_LAYOUT_PLAIN && graph->native == NULL))
        return SZ_ENGINE_TENSOR;
    if (t->layout != SZ_LAYOUT_PLAIN && t->place != (t->layout == SZ_LAYOUT_LINES ? SZ_ARENA : SZ_WEIGHTS))
        return SZ_ENGINE_TENSOR;
    if (t->dtype != SZ_F32 && t->dtype != SZ_I8 && t->dtype != SZ_I32)
        return SZ_ENGINE_TENSOR;
    if (t->place != SZ_ARENA && t->place != SZ_WEIGHTS)
        return SZ_ENGINE_TENSOR;
    if (t->dtype == SZ_I32 && t->place != SZ_WEIGHTS)
        return SZ_ENGINE_TENSOR;
    if (t->rank < 1 || t->rank > SZ_MAX_RANK || !has_exact_size(graph, t))
        return SZ_ENGINE_TENSOR;
    if (!is_inside(graph, t))
        return SZ_ENGINE_BOUNDS;
    if (!is_quantisation_valid(t))
        return SZ_ENGINE_QUANTISATION;
    return SZ_ENGINE_OK;
}

enum sz_engine_status sz_check_tensors(const struct sz_graph *graph, struct sz_fault *fault)
{
    for (uint16_t i = 0; i < graph->header->tensor_count; i++) {
        enum sz_engine_status status = check_tensor(graph, &graph->tensors[i]);
        if (status != SZ_ENGINE_OK) {
            fault->tensor = i;
            return status;
        }
    }
    return SZ_ENGINE_OK;
}
