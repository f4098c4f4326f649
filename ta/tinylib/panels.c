#include "panels.h"
#include "bounds_f32.h"
#include "gather_rows.h"
#include "run_packed.h"
#include "window.h"

#include <string.h>

#define BLOCK 256 /* most rows laid side by side before the panels run over them */

/* Depth and shape of a window; fully connected is one of one tap. */
static size_t depth_of(const struct sz_tensor_record *w)
{
    return (size_t)w->dims[1] * w->dims[2] * w->dims[3];
}

static size_t padded_depth(const struct sz_packing *packing, const struct sz_tensor_record *w)
{
    size_t depth = depth_of(w);
    return (depth + packing->depth_step - 1) / packing->depth_step * packing->depth_step;
}

static size_t value_size(const struct sz_tensor_record *t)
{
    return t->dtype == SZ_I8 ? 1 : sizeof(float);
}

bool sz_is_panels_direct(const struct sz_packing *packing, const struct sz_op_record *op,
                         const struct sz_tensor_record *x, const struct sz_tensor_record *w)
{
    const int32_t *ints = op->ints;
    if (depth_of(w) % packing->depth_step != 0)
        return false;
    if (op->code == SZ_OP_FULLY_CONNECTED)
        return true;
    /* One tap at every pixel, without steps and padding; or one window that is the whole picture. */
    bool padded = (ints[SZ_PAD_TOP] | ints[SZ_PAD_LEFT] | ints[SZ_PAD_BOTTOM] | ints[SZ_PAD_RIGHT]) != 0;
    bool one_tap = w->dims[1] == 1 && w->dims[2] == 1 && ints[SZ_STRIDE_H] == 1 && ints[SZ_STRIDE_W] == 1;
    bool whole = w->dims[1] == x->dims[1] && w->dims[2] == x->dims[2] && ints[SZ_DILATION_H] == 1 &&
                 ints[SZ_DILATION_W] == 1;
    return !padded && (one_tap || whole);
}

uint64_t sz_panels_scratch(const struct sz_packing *packing, const struct sz_op_record *op,
                           const struct sz_tensor_record *x, const struct sz_tensor_record *w)
{
    if (sz_is_panels_direct(packing, op, x, w))
        return 0;
    return (uint64_t)packing->rows * padded_depth(packing, w) * value_size(x);
}

static struct sz_rows product_of(const struct sz_packing *packing, const struct sz_call *call)
{
    const struct sz_tensor_record *x = call->in[0].record;
    const struct sz_tensor_record *w = call->in[1].record;
    const uint32_t *out = call->out->dims;
    bool conv = call->op->code == SZ_OP_CONV_2D;
    struct sz_rows p = {
        .in_h = (int32_t)x->dims[1],
        .in_w = (int32_t)x->dims[2],
        .out_w = conv ? (int32_t)out[2] : 1,
        .window_h = conv ? (int32_t)w->dims[1] : 1,
        .window_w = conv ? (int32_t)w->dims[2] : 1,
        .ints = call->op->ints,
        .per_picture = conv ? (size_t)out[1] * out[2] : 1,
        .depth = depth_of(w),
        .padded = padded_depth(packing, w),
        .size = value_size(x),
        .x = call->in[0].data,
        .filler = x->dtype == SZ_I8 ? (uint8_t)x->zero_point : 0,
    };
    p.x_end = p.x + x->bytes;
    p.pixel = conv ? x->dims[3] * p.size : p.depth * p.size;
    p.picture_bytes = conv ? x->bytes / x->dims[0] : p.depth * p.size;
    p.rows = conv ? p.per_picture * out[0] : x->bytes / (p.depth * p.size);
    return p;
}

/* Rows of fully connected layers whose depth must be filled up. */
static void copy_row(const struct sz_rows *p, size_t row, uint8_t *to)
{
    memcpy(to, p->x + row * p->depth * p->size, p->depth * p->size);
    memset(to + p->depth * p->size, 0, (p->padded - p->depth) * p->size);
}

/* Eight values at a time as unsigned ones, in lanes of 16 bits; WORDS of them cannot overflow. */
static int32_t sum_of(const uint8_t *values, size_t n)
{
    enum { WORDS = 128 };
    const uint64_t low_bytes = 0x00ff00ff00ff00ffu, low_halves = 0x0000ffff0000ffffu;
    int32_t sum = 0;
    while (n >= sizeof(uint64_t)) {
        size_t words = n / sizeof(uint64_t) < WORDS ? n / sizeof(uint64_t) : WORDS;
        uint64_t even = 0, odd = 0;
        for (size_t i = 0; i < words; i++) {
            uint64_t word;
            __builtin_memcpy(&word, values + i * sizeof(word), sizeof(word));
            word ^= 0x8080808080808080u;
            even += word & low_bytes;
            odd += word >> 8 & low_bytes;
        }
        even += odd;
        even = (even & low_halves) + (even >> 16 & low_halves);
        sum += (int32_t)(uint32_t)(even + (even >> 32)) - (int32_t)words * 8 * 128;
        values += words * sizeof(uint64_t);
        n -= words * sizeof(uint64_t);
    }
    for (size_t i = 0; i < n; i++)
        sum += (int8_t)values[i];
    return sum;
}

static void sum_rows(const struct sz_rows *p, const uint8_t *a, size_t stride, size_t rows, int32_t zero_w,
                     int32_t *terms)
{
    for (size_t r = 0; r < rows; r++)
        terms[r] = -zero_w * sum_of(a + r * stride, p->depth);
}

/* All panels over the rows of one block: a few panels stay in the cache while the rows pass. */
static void run_block(const struct sz_packing *packing, sz_panel_kernel kernel, struct sz_panel_job job,
                      size_t rows, size_t outputs, size_t value)
{
    const uint8_t *a = job.a;
    uint8_t *y = job.y;
    const int32_t *terms = job.row_terms;
    size_t most = (size_t)packing->panels * packing->columns;
    for (size_t c = 0; c < outputs; c += most) {
        job.columns = outputs - c < most ? outputs - c : most;
        for (size_t r = 0; r < rows; r += packing->rows) {
            job.rows = rows - r < packing->rows ? rows - r : packing->rows;
            job.a = a + r * job.a_stride;
            job.row_terms = terms == NULL ? NULL : terms + r;
            job.y = y + r * job.y_stride;
            kernel(&job);
        }
        job.b += job.panel_bytes * packing->panels;
        y += most * value;
    }
}

static struct sz_panel_job job_of(const struct sz_packing *packing, const struct sz_call *call,
                                  const struct sz_rows *p)
{
    struct sz_range range = sz_range_of(call->op->activation);
    size_t each = p->padded * p->size + sizeof(int32_t) + (p->size == 1 ? sizeof(float) : 0);
    struct sz_panel_job job = {
        .a_stride = p->padded * p->size,
        .b = call->in[1].data,
        .panel_bytes = each * packing->columns,
        .depth = p->padded,
        .y_stride = sz_channels(call->out) * p->size,
        .zero_y = call->out->zero_point,
        .low = range.low,
        .high = range.high,
    };
    if (p->size == 1)
        job.bounds = sz_bounds_of(call->out, call->op->activation);
    return job;
}

size_t sz_panels_rows(const struct sz_call *call)
{
    return sz_elements(call->out) / sz_channels(call->out);
}

void sz_run_panels(const struct sz_target_kernels *target, const struct sz_call *call, size_t first,
                   size_t count)
{
    const struct sz_tensor_record *w = call->in[1].record;
    bool is_i8 = w->dtype == SZ_I8;
    const struct sz_packing *packing = is_i8 ? &target->packing_i8 : &target->packing_f32;
    sz_panel_kernel kernel = is_i8 ? target->panels_i8 : target->panels_f32;
    struct sz_rows p = product_of(packing, call);
    struct sz_panel_job job = job_of(packing, call, &p);
    bool direct = sz_is_panels_direct(packing, call->op, call->in[0].record, w);
    uint8_t *scratch = call->scratch;
    size_t block = direct ? BLOCK : call->scratch_length / job.a_stride;
    int32_t terms[BLOCK];
    block = (block < BLOCK ? block : BLOCK) / packing->rows * packing->rows;
    job.row_terms = is_i8 && w->zero_point != 0 ? terms : NULL;
    for (size_t row = first; row < first + count; row += block) {
        size_t rows = first + count - row < block ? first + count - row : block;
        job.a = direct ? p.x + row * job.a_stride : scratch;
        job.y = (uint8_t *)call->y + (row - first) * job.y_stride +
                (size_t)call->op->ints[SZ_FIRST_CHANNEL] * p.size;
        if (!direct && call->op->code == SZ_OP_CONV_2D)
            sz_gather_rows(&p, row, rows, job.a_stride, scratch, scratch + call->scratch_length);
        for (size_t r = 0; !direct && call->op->code != SZ_OP_CONV_2D && r < rows; r++)
            copy_row(&p, row + r, scratch + r * job.a_stride);
        if (job.row_terms != NULL)
            sum_rows(&p, job.a, job.a_stride, rows, w->zero_point, terms);
        run_block(packing, kernel, job, rows, w->dims[0], p.size);
    }
}
