/* Computes the rows of a stage, one at a time, in the order of bands.c. */
#include "bands.h"
#include "run_packed.h"
#include "window.h"

/* A row that lies outside the picture takes a slot like any other. */
static uint8_t *slot(uint8_t *arena, const struct sz_lines *lines, int64_t row)
{
    int64_t at = row % (int64_t)lines->slots;
    return arena + lines->offset + (size_t)(at < 0 ? at + (int64_t)lines->slots : at) * lines->pitch;
}

/* The record of one row. */
static struct sz_tensor_record one_row(const struct sz_tensor_record *t)
{
    struct sz_tensor_record row = *t;
    row.layout = SZ_LAYOUT_PLAIN;
    row.bytes = t->dims[2] * t->dims[3] * sz_dtype_size(t->dtype);
    row.dims[1] = 1;
    return row;
}

static int filler_of(const struct sz_tensor_record *t)
{
    return t->dtype == SZ_I8 ? (uint8_t)t->zero_point : 0;
}

/* Padding left and right of all rows stays for the whole stage. */
static void fill_padding(const struct sz_graph *graph, const struct sz_bands *bands, uint8_t *arena)
{
    for (uint32_t i = 0; i < bands->count; i++) {
        const struct sz_lines *lines = &bands->ops[i].out;
        const struct sz_tensor_record *t = &graph->tensors[graph->ops[i].outputs[0]];
        if (lines->pitch != lines->inner)
            memset(arena + lines->offset, filler_of(t), t->bytes);
    }
}

/* The line buffer of an operator's input `k`; NULL if that is a whole tensor. */
static const struct sz_lines *input_lines(const struct sz_graph *graph, const struct sz_bands *bands,
                                          const struct sz_op_record *op, uint32_t k)
{
    uint32_t producer = sz_band_producer(graph, op->inputs[k]);
    return producer < bands->count ? &bands->ops[producer].out : NULL;
}

static void run_depthwise_row(const struct sz_graph *graph, const struct sz_lines *lines, uint8_t *arena,
                              const struct sz_call *call, uint32_t row)
{
    const void *rows[SZ_MAX_DEPTHWISE_WINDOW];
    const struct sz_op_record *op = call->op;
    const struct sz_tensor_record *x = call->in[0].record;
    int64_t at = (int64_t)row * op->ints[SZ_STRIDE_H] - op->ints[SZ_PAD_TOP];
    for (uint32_t i = 0; i < call->in[1].record->dims[1]; i++, at += op->ints[SZ_DILATION_H]) {
        uint8_t *place = slot(arena, lines, at);
        if (at < 0 || at >= x->dims[1])
            memset(place + lines->left, filler_of(x), lines->inner);
        rows[i] = place;
    }
    sz_run_depthwise_row(graph->native, call, rows);
}

/* An operator of one tap or value: its row is made of the same row of its inputs. */
static void run_pointwise_row(const struct sz_graph *graph, const struct sz_bands *bands, uint8_t *arena,
                              struct sz_call *call, uint32_t row)
{
    struct sz_tensor_record records[2];
    for (uint32_t k = 0; k < 2 && k < call->op->input_count; k++) {
        const struct sz_lines *lines = input_lines(graph, bands, call->op, k);
        if (lines == NULL)
            continue; /* weights */
        records[k] = one_row(call->in[k].record);
        call->in[k].record = &records[k];
        call->in[k].data = slot(arena, lines, row) + lines->left;
    }
    if (call->op->code == SZ_OP_CONV_2D)
        sz_run_panels(graph->native, call, 0, call->out->dims[2]);
    else
        sz_plain_kernel(graph, call->op->code, call->out->dtype)(call);
}

static void run_row(const struct sz_graph *graph, const struct sz_bands *bands,
                    const struct sz_segment *segments, uint8_t *arena, uint32_t index, uint32_t row)
{
    const struct sz_op_record *op = &graph->ops[index];
    const struct sz_lines *out = &bands->ops[index].out;
    struct sz_tensor_record y = one_row(&graph->tensors[op->outputs[0]]);
    struct sz_fault ignored;
    struct sz_call call;
    (void)sz_prepare_call(graph, segments, arena, op, &call, &ignored); /* the segments are there */
    if (out->slots > 0)
        call.y = slot(arena, out, row) + out->left;
    else
        call.y = (uint8_t *)call.y + (size_t)row * y.bytes;
    const struct sz_lines *in = input_lines(graph, bands, op, 0);
    if (in == NULL) { /* a convolution of what is there as a whole */
        sz_run_panels(graph->native, &call, (size_t)row * y.dims[2], y.dims[2]);
        return;
    }
    call.out = &y;
    if (op->code == SZ_OP_DEPTHWISE_2D)
        run_depthwise_row(graph, in, arena, &call, row);
    else
        run_pointwise_row(graph, bands, arena, &call, row);
}

void sz_run_bands(const struct sz_graph *graph, const struct sz_segment *segments, uint8_t *arena)
{
    struct sz_bands bands;
    uint32_t op;
    sz_bands_start(graph, &bands);
    fill_padding(graph, &bands, arena);
    while ((op = sz_bands_next(&bands)) < bands.count)
        run_row(graph, &bands, segments, arena, op, bands.ops[op].done++);
}
