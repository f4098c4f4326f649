/* Operators with packed weights: what stands between a call and a target's kernels. */
#ifndef SZ_TINYLIB_RUN_PACKED_H
#define SZ_TINYLIB_RUN_PACKED_H

#include "target.h"

/* Bytes of scratch that an operator with packed weights w needs at least: x's and w's records, checked. More
 * than 2^32 cannot be had. */
uint64_t sz_panels_scratch(const struct sz_packing *packing, const struct sz_op_record *op,
                           const struct sz_tensor_record *x, const struct sz_tensor_record *w);
uint64_t sz_depthwise_scratch(const struct sz_op_record *op, const struct sz_tensor_record *x,
                              const struct sz_tensor_record *w);

/* Does the operator's matrix product read its rows directly from x? */
bool sz_is_panels_direct(const struct sz_packing *packing, const struct sz_op_record *op,
                         const struct sz_tensor_record *x, const struct sz_tensor_record *w);

void sz_run_panels(const struct sz_target_kernels *target, const struct sz_call *call);
void sz_run_depthwise(const struct sz_target_kernels *target, const struct sz_call *call);

#endif
