/* Operators that move values without computing: concat, pad, reshape, transpose, slice. Of any element size.
 */
#include "../requant.h"
#include "kernels.h"

static size_t element_size(const struct sz_tensor_record *t)
{
    return t->bytes / sz_elements(t);
}

static size_t product(const uint32_t *dims, int32_t from, int32_t end)
{
    size_t n = 1;
    for (int32_t i = from; i < end; i++)
        n *= dims[i];
    return n;
}

static bool is_requantised(const struct sz_tensor_record *in, const struct sz_tensor_record *out)
{
    return in->dtype == SZ_I8 && (in->scale != out->scale || in->zero_point != out->zero_point);
}

static void requantise_all(const struct sz_tensor_record *in, const struct sz_tensor_record *out,
                           const int8_t *x, int8_t *y, size_t n)
{
    float scale = in->scale / out->scale;
    struct sz_bounds bounds = {-128, 127};
    for (size_t i = 0; i < n; i++)
        y[i] = sz_requantise(x[i] - in->zero_point, scale, out->zero_point, bounds);
}

void sz_ref_concat(const struct sz_call *call)
{
    int32_t axis = call->op->ints[0];
    size_t before = product(call->out->dims, 0, axis);
    size_t size = element_size(call->out);
    size_t stride = product(call->out->dims, axis, SZ_MAX_RANK) * size;
    uint8_t *y = call->y;
    for (uint32_t i = 0; i < call->op->input_count; i++) {
        const struct sz_tensor_record *in = call->in[i].record;
        const uint8_t *x = call->in[i].data;
        size_t run = product(in->dims, axis, SZ_MAX_RANK) * size;
        for (size_t b = 0; b < before; b++) {
            const uint8_t *from = x + b * run;
            uint8_t *to = y + b * stride;
            if (is_requantised(in, call->out))
                requantise_all(in, call->out, (const int8_t *)from, (int8_t *)to, run);
            else if (from != to)
                memcpy(to, from, run);
        }
        y += run;
    }
}

void sz_ref_reshape(const struct sz_call *call)
{
    if (call->in[0].data != call->y)
        memcpy(call->y, call->in[0].data, call->out->bytes);
}

/* The innermost dimension of pad and slice is copied as one run. */
struct box {
    size_t x_stride[SZ_MAX_RANK], y_stride[SZ_MAX_RANK];
    uint32_t count[SZ_MAX_RANK]; /* runs in dims 0..2 */
    size_t run;                  /* bytes */
};

static void strides_of(const struct sz_tensor_record *t, size_t *strides)
{
    size_t stride = element_size(t);
    for (int32_t d = SZ_MAX_RANK - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= t->dims[d];
    }
}

static void copy_box(const struct box *b, const uint8_t *x, uint8_t *y)
{
    for (uint32_t i = 0; i < b->count[0]; i++)
        for (uint32_t j = 0; j < b->count[1]; j++)
            for (uint32_t k = 0; k < b->count[2]; k++)
                memcpy(y + i * b->y_stride[0] + j * b->y_stride[1] + k * b->y_stride[2],
                       x + i * b->x_stride[0] + j * b->x_stride[1] + k * b->x_stride[2], b->run);
}

void sz_ref_pad(const struct sz_call *call)
{
    const struct sz_tensor_record *in = call->in[0].record;
    uint8_t *y = call->y;
    struct box b;
    if (in->dtype == SZ_I8) {
        memset(y, call->out->zero_point, call->out->bytes);
    } else {
        size_t n = sz_elements(call->out);
        for (size_t i = 0; i < n; i++)
            ((float *)call->y)[i] = call->op->floats[0];
    }
    strides_of(in, b.x_stride);
    strides_of(call->out, b.y_stride);
    memcpy(b.count, in->dims, sizeof(b.count));
    b.run = in->dims[3] * b.x_stride[3];
    for (uint32_t d = 0; d < SZ_MAX_RANK; d++)
        y += (size_t)call->op->ints[d] * b.y_stride[d];
    copy_box(&b, call->in[0].data, y);
}

/* Only then may y overlap x. */
static bool is_one_piece(const struct sz_call *call)
{
    const uint32_t *in = call->in[0].record->dims;
    const uint32_t *out = call->out->dims;
    uint32_t d = 0;
    while (d < SZ_MAX_RANK && out[d] == 1)
        d++;
    for (d++; d < SZ_MAX_RANK; d++)
        if (out[d] != in[d])
            return false;
    return true;
}

void sz_ref_slice(const struct sz_call *call)
{
    const uint8_t *x = call->in[0].data;
    struct box b;
    strides_of(call->in[0].record, b.x_stride);
    strides_of(call->out, b.y_stride);
    memcpy(b.count, call->out->dims, sizeof(b.count));
    b.run = call->out->dims[3] * b.y_stride[3];
    for (uint32_t d = 0; d < SZ_MAX_RANK; d++)
        x += (size_t)call->op->ints[d] * b.x_stride[d];
    if (is_one_piece(call)) {
        if (x != call->y)
            memmove(call->y, x, call->out->bytes);
    } else {
        copy_box(&b, x, call->y);
    }
}

void sz_ref_transpose(const struct sz_call *call)
{
    const uint32_t *out = call->out->dims;
    const uint8_t *x = call->in[0].data;
    uint8_t *y = call->y;
    size_t in_stride[SZ_MAX_RANK];
    size_t stride[SZ_MAX_RANK];
    size_t size = element_size(call->out);
    strides_of(call->in[0].record, in_stride);
    for (uint32_t d = 0; d < SZ_MAX_RANK; d++)
        stride[d] = in_stride[call->op->ints[d]];
    for (uint32_t i = 0; i < out[0]; i++)
        for (uint32_t j = 0; j < out[1]; j++)
            for (uint32_t k = 0; k < out[2]; k++)
                for (uint32_t l = 0; l < out[3]; l++, y += size)
                    memcpy(y, x + i * stride[0] + j * stride[1] + k * stride[2] + l * stride[3], size);
}
