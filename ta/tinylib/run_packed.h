/* Operators with packed weights: what stands between a call and a target's kernels. */
#ifndef SZ_TINYLIB_RUN_PACKED_H
#define SZ_TINYLIB_RUN_PACKED_H

#include "engine.h"
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

/* Rows (output pixels) first .. first + count - 1; call->y is where the first of them belongs. */
void sz_run_panels(const struct sz_target_kernels *target, const struct sz_call *call, size_t first,
                   size_t count);
size_t sz_panels_rows(const struct sz_call *call);

void sz_run_depthwise(const struct sz_target_kernels *target, const struct sz_call *call);

/* One row of y from the padded rows under its window. */
void sz_run_depthwise_row(const struct sz_target_kernels *target, const struct sz_call *call,
                          const void *const *rows);

/* run.c: the operands of an operator, where they are. */
enum sz_engine_status sz_prepare_call(const struct sz_graph *graph, const struct sz_segment *segments,
                                      uint8_t *arena, const struct sz_op_record *op, struct sz_call *call,
                                      struct sz_fault *fault);

/* run.c: a weight segment's bytes, as many as the graph says and aligned. */
bool sz_is_segment_there(const struct sz_graph *graph, const struct sz_segment *segments, uint16_t index);

/* run.c: the target's own where it has one. */
sz_kernel sz_plain_kernel(const struct sz_graph *graph, uint8_t code, uint8_t dtype);

#endif
