/* The graph's outputs and what its head makes of them. */
#include "candidates.h"
#include "check.h"

#define TOP_K_FLAGS SZ_HEAD_SOFTMAX
#define DETECTION_FLAGS                                                                                      \
    (SZ_HEAD_SOFTMAX | SZ_HEAD_SIGMOID | SZ_HEAD_YX | SZ_HEAD_EXP_SIZE | SZ_HEAD_WEIGHTED |                  \
     SZ_HEAD_PER_CLASS | SZ_HEAD_CELLS)

size_t sz_head_work_size(const struct sz_head_record *head)
{
    return head->kind == SZ_HEAD_DETECTIONS ? sizeof(struct sz_candidate_list) : 0;
}

static bool is_output(const struct sz_graph_header *h, uint16_t tensor)
{
    for (uint32_t i = 0; i < h->output_count; i++)
        if (h->outputs[i] == tensor)
            return true;
    return false;
}

static enum sz_engine_status check_outputs(const struct sz_graph *graph, const uint8_t *valid,
                                           struct sz_fault *fault)
{
    const struct sz_graph_header *h = graph->header;
    for (uint32_t i = 0; i < h->output_count; i++) {
        fault->tensor = h->outputs[i];
        if (h->outputs[i] >= h->tensor_count || graph->tensors[h->outputs[i]].place != SZ_ARENA)
            return SZ_ENGINE_HEAD;
        if (!valid[h->outputs[i]])
            return SZ_ENGINE_LIVENESS;
    }
    fault->tensor = SZ_NONE;
    for (uint32_t i = h->output_count; i < SZ_MAX_GRAPH_OUTPUTS; i++)
        if (h->outputs[i] != SZ_NONE)
            return SZ_ENGINE_RESERVED;
    for (uint32_t i = 0; i < 4; i++)
        if (!sz_is_finite(h->input_a[i]) || !sz_is_finite(h->input_b[i]))
            return SZ_ENGINE_HEAD;
    return SZ_ENGINE_OK;
}

/* How many fields each kind uses: the others must be clear. */
static enum sz_engine_status check_unused(const struct sz_head_record *head, uint32_t tensors,
                                          uint32_t floats, uint32_t flags)
{
    if (head->reserved != 0 || (head->flags & ~flags) != 0)
        return SZ_ENGINE_RESERVED;
    for (uint32_t i = tensors; i < 4; i++)
        if (head->tensors[i] != SZ_NONE)
            return SZ_ENGINE_RESERVED;
    for (uint32_t i = 0; i < SZ_HEAD_FLOATS; i++) {
        if (i >= floats && sz_float_bits(head->floats[i]) != 0)
            return SZ_ENGINE_RESERVED;
        if (!sz_is_finite(head->floats[i]))
            return SZ_ENGINE_HEAD;
    }
    return SZ_ENGINE_OK;
}

static bool are_detections_valid(const struct sz_graph *graph, const struct sz_head_record *head)
{
    const struct sz_graph_header *h = graph->header;
    if (!is_output(h, head->tensors[1]) || head->tensors[2] >= h->tensor_count)
        return false;
    const struct sz_tensor_record *boxes = &graph->tensors[head->tensors[0]];
    const struct sz_tensor_record *scores = &graph->tensors[head->tensors[1]];
    const struct sz_tensor_record *anchors = &graph->tensors[head->tensors[2]];
    bool cells = (head->flags & SZ_HEAD_CELLS) != 0;
    if (boxes->rank != 3 || boxes->dims[0] != 1 || boxes->dims[2] < 4 || scores->rank != 3 ||
        scores->dims[0] != 1 || scores->dims[1] != boxes->dims[1])
        return false;
    if (cells && (boxes != scores || head->first_class < 5 ||
                  (head->flags & (SZ_HEAD_SOFTMAX | SZ_HEAD_SIGMOID)) == 0))
        return false;
    if (anchors->place != SZ_WEIGHTS || anchors->dtype != SZ_F32 || anchors->rank != 2 ||
        anchors->layout != SZ_LAYOUT_PLAIN || anchors->dims[0] != boxes->dims[1] ||
        anchors->dims[1] != (cells ? 6 : 4))
        return false;
    /* Class numbers are 16 bits wide in a result. */
    if (head->first_class >= scores->dims[2] || scores->dims[2] > 0xffffu)
        return false;
    for (uint32_t i = 0; i < 4; i++)
        if (!(head->floats[i] > 0))
            return false;
    return head->floats[4] >= 0 && head->floats[6] >= 0;
}

static enum sz_engine_status check_kind(const struct sz_graph *graph, const uint8_t *valid)
{
    const struct sz_graph_header *h = graph->header;
    const struct sz_head_record *head = &h->head;
    static const struct {
        uint8_t tensors, floats, flags;
        bool results;
    } rules[] = {
        [SZ_HEAD_NONE] = {0, 0, 0, false},
        [SZ_HEAD_TOP_K] = {1, 1, TOP_K_FLAGS, true},
        [SZ_HEAD_DETECTIONS] = {3, 7, DETECTION_FLAGS, true},
        [SZ_HEAD_RECONSTRUCTION] = {1, 1, 0, true},
        [SZ_HEAD_VECTOR] = {1, 0, 0, false},
    };
    if (head->kind > SZ_HEAD_VECTOR)
        return SZ_ENGINE_HEAD;
    enum sz_engine_status status =
        check_unused(head, rules[head->kind].tensors, rules[head->kind].floats, rules[head->kind].flags);
    if (status != SZ_ENGINE_OK)
        return status;
    if (rules[head->kind].results ? head->max_results < 1 || head->max_results > SZ_MAX_RESULTS
                                  : head->max_results != 0)
        return SZ_ENGINE_HEAD;
    if (head->kind != SZ_HEAD_DETECTIONS && head->first_class != 0)
        return SZ_ENGINE_HEAD;
    if (head->kind == SZ_HEAD_NONE)
        return SZ_ENGINE_OK;
    if (!is_output(h, head->tensors[0]))
        return SZ_ENGINE_HEAD;
    const struct sz_tensor_record *t = &graph->tensors[head->tensors[0]];
    uint32_t elements = t->bytes / sz_dtype_size(t->dtype);
    const struct sz_tensor_record *input = &graph->tensors[h->input];
    switch (head->kind) {
    case SZ_HEAD_TOP_K:
        return elements <= 0xffffu ? SZ_ENGINE_OK : SZ_ENGINE_HEAD;
    case SZ_HEAD_DETECTIONS:
        return are_detections_valid(graph, head) ? SZ_ENGINE_OK : SZ_ENGINE_HEAD;
    case SZ_HEAD_RECONSTRUCTION:
        if (head->max_results != 1 || elements != input->bytes / sz_dtype_size(input->dtype))
            return SZ_ENGINE_HEAD;
        return valid[h->input] ? SZ_ENGINE_OK : SZ_ENGINE_LIVENESS;
    default:
        return SZ_ENGINE_OK;
    }
}

enum sz_engine_status sz_check_head(const struct sz_graph *graph, const uint8_t *valid,
                                    struct sz_fault *fault)
{
    enum sz_engine_status status = check_outputs(graph, valid, fault);
    return status == SZ_ENGINE_OK ? check_kind(graph, valid) : status;
}
