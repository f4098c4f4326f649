/* sz_graph_open(): the parts of a graph are where the counts in its header say; then everything in them is
 * checked. */
#include "check.h"
#include "target.h"

/* Bytes of the whole graph. Counts are 16 bits wide, so nothing here can overflow. */
static uint64_t graph_length(const struct sz_graph_header *h)
{
    uint64_t segments = ((uint64_t)h->segment_count * sizeof(uint32_t) + 7u) & ~(uint64_t)7u;
    return sizeof(*h) + segments + (uint64_t)h->tensor_count * sizeof(struct sz_tensor_record) +
           (uint64_t)h->op_count * sizeof(struct sz_op_record);
}

static bool is_target_here(uint16_t target)
{
    const struct sz_target_kernels *native = sz_native_kernels();
    return target == SZ_TARGET_REF || (native != NULL && native->target == target);
}

static enum sz_engine_status check_header(const struct sz_graph_header *h, size_t length)
{
    if (h->magic != SZ_GRAPH_MAGIC)
        return SZ_ENGINE_MAGIC;
    if (h->version != SZ_GRAPH_VERSION || !is_target_here(h->target))
        return SZ_ENGINE_VERSION;
    if (h->tensor_count == 0 || h->tensor_count > SZ_MAX_TENSORS || h->op_count == 0 ||
        h->op_count > SZ_MAX_OPS || h->segment_count > SZ_MAX_SEGMENTS || h->output_count == 0 ||
        h->output_count > SZ_MAX_GRAPH_OUTPUTS || h->band_ops > h->op_count || h->arena_size == 0)
        return SZ_ENGINE_LIMIT;
    if (h->byte_length != length || graph_length(h) != length)
        return SZ_ENGINE_LENGTH;
    if (h->reserved1 != 0)
        return SZ_ENGINE_RESERVED;
    for (size_t i = 0; i < sizeof(h->reserved2) / sizeof(h->reserved2[0]); i++)
        if (h->reserved2[i] != 0)
            return SZ_ENGINE_RESERVED;
    return SZ_ENGINE_OK;
}

static bool is_header_readable(const void *bytes, size_t length)
{
    return bytes != NULL && (uintptr_t)bytes % 8 == 0 && length >= sizeof(struct sz_graph_header);
}

size_t sz_graph_work_size(const void *bytes, size_t length)
{
    if (!is_header_readable(bytes, length))
        return 0;
    const struct sz_graph_header *h = bytes;
    if (check_header(h, length) != SZ_ENGINE_OK)
        return 0;
    size_t head = sz_head_work_size(&h->head);
    return head > h->tensor_count ? head : h->tensor_count;
}

static enum sz_engine_status locate_parts(struct sz_graph *graph, const void *bytes)
{
    const struct sz_graph_header *h = bytes;
    const uint8_t *at = (const uint8_t *)bytes + sizeof(*h);
    graph->header = h;
    graph->segment_bytes = (const uint32_t *)(const void *)at;
    size_t padded = ((size_t)h->segment_count + 1u) & ~(size_t)1u;
    if (padded != h->segment_count && graph->segment_bytes[h->segment_count] != 0)
        return SZ_ENGINE_RESERVED;
    at += padded * sizeof(uint32_t);
    graph->tensors = (const struct sz_tensor_record *)(const void *)at;
    at += (size_t)h->tensor_count * sizeof(struct sz_tensor_record);
    graph->ops = (const struct sz_op_record *)(const void *)at;
    graph->native = h->target == SZ_TARGET_REF ? NULL : sz_native_kernels();
    return SZ_ENGINE_OK;
}

enum sz_engine_status sz_graph_open(struct sz_graph *graph, const void *bytes, size_t length, void *work,
                                    size_t work_length, struct sz_fault *fault)
{
    struct sz_fault ignored;
    struct sz_graph found;
    if (fault == NULL)
        fault = &ignored;
    fault->op = SZ_NONE;
    fault->tensor = SZ_NONE;
    memset(graph, 0, sizeof(*graph));
    if (!is_header_readable(bytes, length))
        return SZ_ENGINE_LENGTH;
    enum sz_engine_status status = check_header(bytes, length);
    if (status == SZ_ENGINE_OK)
        status = locate_parts(&found, bytes);
    if (status == SZ_ENGINE_OK &&
        (work == NULL || (uintptr_t)work % 8 != 0 || work_length < sz_graph_work_size(bytes, length)))
        status = SZ_ENGINE_WORK;
    if (status == SZ_ENGINE_OK)
        status = sz_check_tensors(&found, fault);
    if (status == SZ_ENGINE_OK)
        status = sz_check_operators(&found, fault);
    if (status == SZ_ENGINE_OK)
        status = sz_check_plan(&found, work, fault);
    if (status == SZ_ENGINE_OK)
        status = sz_check_head(&found, work, fault);
    if (status == SZ_ENGINE_OK)
        *graph = found;
    return status;
}
