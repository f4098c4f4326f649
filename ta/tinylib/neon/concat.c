/* Concatenation of inputs whose runs are whole vectors; others are the reference's. */
#include "kernels.h"

#if defined(__aarch64__)
#include "../reference/kernels.h"
#include "load.h"

#define VECTOR 16

struct runs {
    size_t count;  /* runs of each input */
    size_t stride; /* bytes from run to run in y */
};

static struct runs runs_of(const struct sz_call *call)
{
    const struct sz_tensor_record *y = call->out;
    struct runs r = {1, y->bytes};
    for (int32_t d = 0; d < call->op->ints[0]; d++) {
        r.count *= y->dims[d];
        r.stride /= y->dims[d];
    }
    return r;
}

/* Is the input only to be copied, and in whole vectors? */
static bool is_simple(const struct sz_tensor_record *in, const struct sz_tensor_record *out,
                      const struct runs *r)
{
    bool same = in->dtype != SZ_I8 || (in->scale == out->scale && in->zero_point == out->zero_point);
    return same && in->bytes / r->count % VECTOR == 0;
}

static void copy_runs(const uint8_t *from, size_t run, uint8_t *to, const struct runs *r)
{
    for (size_t i = 0; i < r->count; i++, to += r->stride) {
        uint8_t *at = to;
        size_t left = run;
        for (; left >= 4 * VECTOR; left -= 4 * VECTOR)
            sz_neon_copy_64(&at, &from);
        for (; left > 0; left -= VECTOR, from += VECTOR, at += VECTOR)
            sz_neon_store_16(at, sz_neon_load_16(from));
    }
}

void sz_neon_concat(const struct sz_call *call)
{
    struct runs r = runs_of(call);
    uint8_t *y = call->y;
    for (uint32_t i = 0; i < call->op->input_count; i++) {
        if (!is_simple(call->in[i].record, call->out, &r)) {
            sz_ref_concat(call);
            return;
        }
    }
    for (uint32_t i = 0; i < call->op->input_count; i++) {
        size_t run = call->in[i].record->bytes / r.count;
        /* With one run, an input may lie where it belongs. */
        if (call->in[i].data != y)
            copy_runs(call->in[i].data, run, y, &r);
        y += run;
    }
}

#else
typedef int sz_not_empty;
#endif
