/* In which order the rows of a stage are computed: common to the check and the run. */
#include "bands.h"
#include "window.h"

uint32_t sz_band_producer(const struct sz_graph *graph, uint16_t tensor)
{
    uint32_t op = 0;
    while (op < graph->header->band_ops && graph->ops[op].outputs[0] != tensor)
        op++;
    return op;
}

struct sz_lines sz_lines_of(const struct sz_graph *graph, uint16_t tensor)
{
    const struct sz_tensor_record *t = &graph->tensors[tensor];
    size_t pixel = t->dims[3] * (size_t)sz_dtype_size(t->dtype);
    struct sz_lines lines = {.offset = t->offset, .inner = t->dims[2] * pixel};
    lines.pitch = lines.inner;
    for (uint32_t i = 0; i < graph->header->band_ops; i++) {
        const struct sz_op_record *op = &graph->ops[i];
        if (op->inputs[0] == tensor && op->code == SZ_OP_DEPTHWISE_2D) {
            lines.left = (size_t)op->ints[SZ_PAD_LEFT] * pixel;
            lines.pitch = lines.inner + lines.left + (size_t)op->ints[SZ_PAD_RIGHT] * pixel;
        }
    }
    lines.slots = t->bytes % lines.pitch == 0 ? (uint32_t)(t->bytes / lines.pitch) : 0;
    return lines;
}

static struct sz_band_op band_op_of(const struct sz_graph *graph, uint32_t index)
{
    const struct sz_op_record *op = &graph->ops[index];
    const struct sz_tensor_record *y = &graph->tensors[op->outputs[0]];
    struct sz_band_op band = {
        .height = y->dims[1],
        .stride = 1,
        .span = 1,
        .in_height = (int32_t)graph->tensors[op->inputs[0]].dims[1],
    };
    if (op->code == SZ_OP_DEPTHWISE_2D) {
        band.stride = op->ints[SZ_STRIDE_H];
        band.before = op->ints[SZ_PAD_TOP];
        band.span = ((int32_t)graph->tensors[op->inputs[1]].dims[1] - 1) * op->ints[SZ_DILATION_H] + 1;
    }
    if (y->layout == SZ_LAYOUT_LINES)
        band.out = sz_lines_of(graph, op->outputs[0]);
    return band;
}

void sz_bands_start(const struct sz_graph *graph, struct sz_bands *bands)
{
    bands->count = graph->header->band_ops;
    for (uint32_t i = 0; i < bands->count; i++)
        bands->ops[i] = band_op_of(graph, i);
    for (uint32_t i = 0; i < bands->count; i++) {
        const struct sz_op_record *op = &graph->ops[i];
        for (uint32_t k = 0; k < op->input_count; k++) {
            uint32_t producer = sz_band_producer(graph, op->inputs[k]);
            if (producer == bands->count)
                continue;
            bands->ops[i].inputs |= 1u << producer;
            bands->ops[producer].consumers |= 1u << i;
        }
    }
}

/* Its line buffers have all rows that the operator needs for its next one. */
static bool has_inputs(const struct sz_bands *bands, const struct sz_band_op *op)
{
    int32_t end = (int32_t)op->done * op->stride - op->before + op->span;
    end = end < op->in_height ? end : op->in_height;
    for (uint32_t p = 0; p < bands->count; p++)
        if ((op->inputs >> p & 1u) != 0 && (int32_t)bands->ops[p].done < end)
            return false;
    return true;
}

/* Nobody needs the row any more whose slot the next row takes. Rows above the picture count too: they take
 * slots of their own, filled with padding. */
static bool has_room(const struct sz_bands *bands, const struct sz_band_op *op)
{
    int32_t replaced = (int32_t)op->done - (int32_t)op->out.slots;
    if (op->out.slots == 0)
        return true;
    for (uint32_t c = 0; c < bands->count; c++) {
        const struct sz_band_op *consumer = &bands->ops[c];
        if ((op->consumers >> c & 1u) != 0 && consumer->done < consumer->height &&
            (int32_t)consumer->done * consumer->stride - consumer->before <= replaced)
            return false;
    }
    return true;
}

uint32_t sz_bands_next(const struct sz_bands *bands)
{
    for (uint32_t i = bands->count; i-- > 0;) {
        const struct sz_band_op *op = &bands->ops[i];
        if (op->done < op->height && has_inputs(bands, op) && has_room(bands, op))
            return i;
    }
    return bands->count;
}
