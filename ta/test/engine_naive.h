/*
 * Operators once more, straight from their definitions: four nested indices, double and 64-bit sums, no
 * blocks, no tables. Only for comparison with the engine's kernels.
 */
#ifndef SZ_TEST_ENGINE_NAIVE_H
#define SZ_TEST_ENGINE_NAIVE_H

#include "tinylib/graph.h"

struct naive_tensor {
    const struct sz_tensor_record *t;
    const void *data;
};

/* Real value, or with `raw` the quantised value less its zero point. Index beyond a border is the caller's
 * care. */
double naive_at(const struct naive_tensor *x, int64_t n, int64_t h, int64_t w, int64_t c);

/*
 * What y[n,h,w,c] must be, in `*value` as a real number (f32) or a quantised one (i8); `*slack` is the
 * greatest difference allowed (rounding of a long float sum; 0 where int8 must be equal).
 */
void naive_value(const struct sz_op_record *op, const struct naive_tensor *in,
                 const struct sz_tensor_record *out, int64_t n, int64_t h, int64_t w, int64_t c,
                 double *value, double *slack);

#endif
