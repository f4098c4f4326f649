#include "depthwise_rows.h"
#include "bounds_f32.h"
#include "run_packed.h"
#include "window.h"

#include <string.h>

/* Input rows with their padding, row r in slot r % span; behind the last slot a row of padding alone. */
struct ring {
    uint8_t *at;
    size_t row_bytes; /* with padding */
    size_t left, inner;
    int32_t span; /* rows that a window covers */
    int filler;
};

static int32_t span_of(const struct sz_op_record *op, const struct sz_tensor_record *w)
{
    return ((int32_t)w->dims[1] - 1) * op->ints[SZ_DILATION_H] + 1;
}

static uint64_t row_bytes_of(const struct sz_op_record *op, const struct sz_tensor_record *x)
{
    uint64_t pixels =
        (uint64_t)x->dims[2] + (uint64_t)op->ints[SZ_PAD_LEFT] + (uint64_t)op->ints[SZ_PAD_RIGHT];
    return pixels * x->dims[3] * (x->dtype == SZ_I8 ? 1 : sizeof(float));
}

uint64_t sz_depthwise_scratch(const struct sz_op_record *op, const struct sz_tensor_record *x,
                              const struct sz_tensor_record *w)
{
    /* A row is below 2^31 + 2^33 * 2^24 * 4 bytes in theory, the span at most 2^24: 64 bits hold the product
     * of what can be valid; what cannot is cut off before. */
    uint64_t row = row_bytes_of(op, x);
    return row > UINT32_MAX ? UINT64_MAX : row * ((uint64_t)span_of(op, w) + 1);
}

static struct ring ring_of(const struct sz_call *call)
{
    const struct sz_tensor_record *x = call->in[0].record;
    size_t pixel = x->dims[3] * (x->dtype == SZ_I8 ? 1 : sizeof(float));
    struct ring ring = {
        .at = call->scratch,
        .row_bytes = (size_t)row_bytes_of(call->op, x),
        .left = (size_t)call->op->ints[SZ_PAD_LEFT] * pixel,
        .inner = x->dims[2] * pixel,
        .span = span_of(call->op, call->in[1].record),
        .filler = x->dtype == SZ_I8 ? (uint8_t)x->zero_point : 0,
    };
    return ring;
}

static uint8_t *slot(const struct ring *ring, int32_t row)
{
    return ring->at + (size_t)(row % ring->span) * ring->row_bytes;
}

/* What stays the same while rows come and go: left and right of them, and the row of padding. */
static void fill_padding(const struct ring *ring)
{
    size_t end = ring->left + ring->inner;
    for (int32_t i = 0; i < ring->span; i++) {
        memset(slot(ring, i), ring->filler, ring->left);
        memset(slot(ring, i) + end, ring->filler, ring->row_bytes - end);
    }
    memset(ring->at + (size_t)ring->span * ring->row_bytes, ring->filler, ring->row_bytes);
}

static struct sz_depthwise_job job_of(const struct sz_call *call)
{
    const struct sz_tensor_record *w = call->in[1].record;
    const int32_t *ints = call->op->ints;
    struct sz_range range = sz_range_of(call->op->activation);
    struct sz_depthwise_job job = {
        .window_h = w->dims[1],
        .window_w = w->dims[2],
        .stride = (size_t)ints[SZ_STRIDE_W],
        .dilation = (size_t)ints[SZ_DILATION_W],
        .channels = w->dims[3],
        .pixels = call->out->dims[2],
        .w = call->in[1].data,
        .y = call->y,
        .zero_w = w->zero_point,
        .zero_y = call->out->zero_point,
        .low = range.low,
        .high = range.high,
    };
    if (w->dtype == SZ_I8)
        job.bounds = sz_bounds_of(call->out, call->op->activation);
    return job;
}

/* y may be x: row r of y ends before row r + 1 of x begins (OW <= W), and row r of x is in the ring by then.
 */
static void run_picture(const struct sz_call *call, const struct ring *ring, sz_depthwise_kernel kernel,
                        const uint8_t *x, struct sz_depthwise_job *job)
{
    const int32_t *ints = call->op->ints;
    int32_t height = (int32_t)call->in[0].record->dims[1];
    size_t y_bytes = call->out->bytes / ((size_t)call->out->dims[0] * call->out->dims[1]);
    int32_t copied = 0; /* rows of x that are in the ring or not needed any more */
    for (uint32_t row = 0; row < call->out->dims[1]; row++) {
        int32_t top = (int32_t)row * ints[SZ_STRIDE_H] - ints[SZ_PAD_TOP];
        int32_t end = top + ring->span < height ? top + ring->span : height;
        copied = copied > top ? copied : top;
        for (; copied < end; copied++)
            memcpy(slot(ring, copied) + ring->left, x + (size_t)copied * ring->inner, ring->inner);
        for (size_t i = 0; i < job->window_h; i++) {
            int32_t at = top + (int32_t)i * ints[SZ_DILATION_H];
            bool inside = at >= 0 && at < height;
            job->rows[i] = inside ? slot(ring, at) : ring->at + (size_t)ring->span * ring->row_bytes;
        }
        kernel(job);
        job->y = (uint8_t *)job->y + y_bytes;
    }
}

void sz_run_depthwise_row(const struct sz_target_kernels *target, const struct sz_call *call,
                          const void *const *rows)
{
    struct sz_depthwise_job job = job_of(call);
    memcpy(job.rows, rows, job.window_h * sizeof(rows[0]));
    (call->in[0].record->dtype == SZ_I8 ? target->depthwise_i8 : target->depthwise_f32)(&job);
}

void sz_run_depthwise(const struct sz_target_kernels *target, const struct sz_call *call)
{
    const struct sz_tensor_record *x = call->in[0].record;
    struct sz_depthwise_job job = job_of(call);
    struct ring ring = ring_of(call);
    sz_depthwise_kernel kernel = x->dtype == SZ_I8 ? target->depthwise_i8 : target->depthwise_f32;
    fill_padding(&ring);
    for (uint32_t n = 0; n < x->dims[0]; n++)
        run_picture(call, &ring, kernel,
                    (const uint8_t *)call->in[0].data + (size_t)n * (x->bytes / x->dims[0]), &job);
}
