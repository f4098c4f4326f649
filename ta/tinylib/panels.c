#include "panels.h"
#include "bounds_f32.h"
#include "run_packed.h"
#include "window.h"

#include <string.h>

#if defined(__aarch64__)
#include "neon/load.h"
#endif

#define BLOCK 256 /* most rows laid side by side before the panels run over them */
#define CHUNK 16  /* bytes of one copy */

/* The whole of a matrix product. Sizes of values are in bytes. */
struct product {
    int32_t in_h, in_w, out_w, window_h, window_w;
    const int32_t *ints;
    size_t pixel;         /* bytes of an input pixel: all channels */
    size_t per_picture;   /* rows */
    size_t picture_bytes; /* of x */
    size_t rows;
    size_t depth;  /* values, before filling up */
    size_t padded; /* after */
    size_t size;   /* of a value */
    const uint8_t *x, *x_end;
    int filler; /* padding: zero_x, or the bytes of 0.0f */
};

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

#if defined(__aarch64__)
/* TAs are compiled with -mstrict-align, which makes calls of short memcpys. */
static inline void copy_chunk(uint8_t *to, const uint8_t *from)
{
    sz_neon_store_16(to, sz_neon_load_16(from));
}
#else
static inline void copy_chunk(uint8_t *to, const uint8_t *from)
{
    __builtin_memcpy(to, from, CHUNK);
}
#endif

/* Copies a short run in whole chunks where reading and writing behind its end stays inside the buffers (what
 * is written too much is written over afterwards). */
static inline void copy_run(uint8_t *to, const uint8_t *from, size_t n, const uint8_t *to_end,
                            const uint8_t *from_end)
{
    size_t whole = (n + CHUNK - 1) / CHUNK * CHUNK;
    if (n > 8 * CHUNK || (size_t)(to_end - to) < whole || (size_t)(from_end - from) < whole) {
        memcpy(to, from, n);
        return;
    }
    for (size_t i = 0; i < n; i += CHUNK)
        copy_chunk(to + i, from + i);
}

/* One row of the window's taps from column x on: taps outside are padding. */
static uint8_t *gather_taps(const struct product *p, const uint8_t *line, int32_t x, uint8_t *to,
                            const uint8_t *to_end)
{
    int32_t dilation = p->ints[SZ_DILATION_W];
    struct sz_span span = sz_span_at(0, 1, -x, dilation, p->window_w, p->in_w);
    memset(to, p->filler, (size_t)span.first * p->pixel);
    to += (size_t)span.first * p->pixel;
    for (int32_t j = span.first; j < span.end; j++, to += p->pixel)
        copy_run(to, line + (size_t)(x + j * dilation) * p->pixel, p->pixel, to_end, p->x_end);
    memset(to, p->filler, (size_t)(p->window_w - span.end) * p->pixel);
    return to + (size_t)(p->window_w - span.end) * p->pixel;
}

/* The inputs of the output pixel whose window begins at (y, x), filled up with zeros. */
static void gather_row(const struct product *p, const uint8_t *picture, int32_t y, int32_t x, uint8_t *to,
                       const uint8_t *to_end)
{
    size_t line = (size_t)p->in_w * p->pixel;
    size_t taps = (size_t)p->window_w * p->pixel;
    bool whole = x >= 0 && x + p->window_w <= p->in_w && p->ints[SZ_DILATION_W] == 1;
    uint8_t *end = to + p->depth * p->size;
    for (int32_t i = 0; i < p->window_h; i++, y += p->ints[SZ_DILATION_H]) {
        if (y < 0 || y >= p->in_h)
            memset(to, p->filler, taps);
        else if (whole)
            copy_run(to, picture + (size_t)y * line + (size_t)x * p->pixel, taps, to_end, p->x_end);
        else
            (void)gather_taps(p, picture + (size_t)y * line, x, to, to_end);
        to += taps;
    }
    for (size_t i = 0; i < (p->padded - p->depth) * p->size; i++)
        end[i] = 0;
}

/* Windows that are inside the picture, of `count` output pixels beside each other: nothing to ask, only
 * chunks to copy. What is written behind a window's row is written over by the next one. */
static inline void gather_inside(const struct product *p, const uint8_t *from, size_t count, size_t chunks,
                                 uint8_t *to, size_t stride)
{
    size_t line = (size_t)p->in_w * p->pixel * (size_t)p->ints[SZ_DILATION_H];
    size_t taps = (size_t)p->window_w * p->pixel;
    size_t step = (size_t)p->ints[SZ_STRIDE_W] * p->pixel;
    size_t filled = (p->padded - p->depth) * p->size;
    for (; count > 0; count--, from += step, to += stride) {
        for (size_t i = 0; i < (size_t)p->window_h; i++)
            for (size_t c = 0; c < chunks; c++)
                copy_chunk(to + i * taps + c * CHUNK, from + i * line + c * CHUNK);
        for (size_t i = 0; i < filled; i++)
            to[p->depth * p->size + i] = 0;
    }
}

/* How many of `most` output pixels from (y, x) on have their windows inside, with room for whole chunks. */
static size_t count_inside(const struct product *p, const uint8_t *picture, int32_t y, int32_t x, size_t most,
                           size_t stride, const uint8_t *to, const uint8_t *to_end)
{
    int32_t bottom = y + (p->window_h - 1) * p->ints[SZ_DILATION_H];
    size_t count = 0;
    if (y < 0 || bottom >= p->in_h || x < 0 || x + p->window_w > p->in_w ||
        (p->ints[SZ_DILATION_W] != 1 && p->window_w > 1) || (size_t)p->window_w * p->pixel > 8 * CHUNK)
        return 0;
    count = (size_t)((p->in_w - p->window_w - x) / p->ints[SZ_STRIDE_W]) + 1;
    count = count < most ? count : most;
    /* The last ones of all may have to be copied to the byte. */
    size_t step = (size_t)p->ints[SZ_STRIDE_W] * p->pixel;
    size_t taps = (size_t)p->window_w * p->pixel;
    size_t first = ((size_t)bottom * (size_t)p->in_w + (size_t)x) * p->pixel + taps + CHUNK;
    size_t readable = (size_t)(p->x_end - picture), writable = (size_t)(to_end - to);
    while (count > 0 && (first + (count - 1) * step > readable ||
                         (count - 1) * stride + (size_t)p->window_h * taps + CHUNK > writable))
        count--;
    return count;
}

/* Rows `row` .. row + count - 1, `stride` bytes each. */
static void gather_rows(const struct product *p, size_t row, size_t count, size_t stride, uint8_t *to,
                        const uint8_t *to_end)
{
    const uint8_t *picture = p->x + row / p->per_picture * p->picture_bytes;
    size_t chunks = ((size_t)p->window_w * p->pixel + CHUNK - 1) / CHUNK;
    size_t at = row % p->per_picture;
    while (count > 0) {
        size_t column = at % (size_t)p->out_w;
        int32_t y = (int32_t)(at / (size_t)p->out_w) * p->ints[SZ_STRIDE_H] - p->ints[SZ_PAD_TOP];
        int32_t x = (int32_t)column * p->ints[SZ_STRIDE_W] - p->ints[SZ_PAD_LEFT];
        size_t most = (size_t)p->out_w - column;
        most = most < count ? most : count;
        size_t done = count_inside(p, picture, y, x, most, stride, to, to_end);
        if (done > 0) {
            const uint8_t *from = picture + ((size_t)y * (size_t)p->in_w + (size_t)x) * p->pixel;
            gather_inside(p, from, done, chunks, to, stride);
        } else {
            gather_row(p, picture, y, x, to, to_end);
            done = 1;
        }
        to += done * stride;
        count -= done;
        at += done;
        if (at == p->per_picture) {
            picture += p->picture_bytes;
            at = 0;
        }
    }
}

static struct product product_of(const struct sz_packing *packing, const struct sz_call *call)
{
    const struct sz_tensor_record *x = call->in[0].record;
    const struct sz_tensor_record *w = call->in[1].record;
    const uint32_t *out = call->out->dims;
    bool conv = call->op->code == SZ_OP_CONV_2D;
    struct product p = {
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
static void copy_row(const struct product *p, size_t row, uint8_t *to)
{
    memcpy(to, p->x + row * p->depth * p->size, p->depth * p->size);
    memset(to + p->depth * p->size, 0, (p->padded - p->depth) * p->size);
}

static void sum_rows(const struct product *p, const uint8_t *a, size_t stride, size_t rows, int32_t zero_w,
                     int32_t *terms)
{
    for (size_t r = 0; r < rows; r++) {
        const int8_t *row = (const int8_t *)a + r * stride;
        int32_t sum = 0;
        for (size_t k = 0; k < p->depth; k++)
            sum += row[k];
        terms[r] = -zero_w * sum;
    }
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
                                  const struct product *p)
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

void sz_run_panels(const struct sz_target_kernels *target, const struct sz_call *call)
{
    const struct sz_tensor_record *w = call->in[1].record;
    bool is_i8 = w->dtype == SZ_I8;
    const struct sz_packing *packing = is_i8 ? &target->packing_i8 : &target->packing_f32;
    sz_panel_kernel kernel = is_i8 ? target->panels_i8 : target->panels_f32;
    struct product p = product_of(packing, call);
    struct sz_panel_job job = job_of(packing, call, &p);
    bool direct = sz_is_panels_direct(packing, call->op, call->in[0].record, w);
    uint8_t *scratch = call->scratch;
    size_t block = direct ? BLOCK : call->scratch_length / job.a_stride;
    int32_t terms[BLOCK];
    block = block < BLOCK ? block / packing->rows * packing->rows : BLOCK;
    job.row_terms = is_i8 && w->zero_point != 0 ? terms : NULL;
    for (size_t row = 0; row < p.rows; row += block) {
        size_t rows = p.rows - row < block ? p.rows - row : block;
        job.a = direct ? p.x + row * job.a_stride : scratch;
        job.y = (uint8_t *)call->y + row * job.y_stride + (size_t)call->op->ints[SZ_FIRST_CHANNEL] * p.size;
        if (!direct && call->op->code == SZ_OP_CONV_2D)
            gather_rows(&p, row, rows, job.a_stride, scratch, scratch + call->scratch_length);
        for (size_t r = 0; !direct && call->op->code != SZ_OP_CONV_2D && r < rows; r++)
            copy_row(&p, row + r, scratch + r * job.a_stride);
        if (job.row_terms != NULL)
            sum_rows(&p, job.a, job.a_stride, rows, w->zero_point, terms);
        run_block(packing, kernel, job, rows, w->dims[0], p.size);
    }
}
