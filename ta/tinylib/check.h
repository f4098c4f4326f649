/* Inside sz_graph_open(): the parts of the check, and the arithmetic that they share. */
#ifndef SZ_TINYLIB_CHECK_H
#define SZ_TINYLIB_CHECK_H

#include "engine.h"
#include "target.h"

#include <string.h>

/* One operator under check, with its tensors looked up. Absent optional inputs are NULL. */
struct sz_checked_op {
    const struct sz_target_kernels *native; /* NULL: target ref */
    const struct sz_op_record *op;
    const struct sz_tensor_record *in[SZ_MAX_OP_INPUTS];
    const struct sz_tensor_record *out;
};

/* check_tensors.c: every tensor record by itself. */
enum sz_engine_status sz_check_tensors(const struct sz_graph *graph, struct sz_fault *fault);

/* check_operators.c: arity, types, places, quantisation, parameters and shapes of every operator. */
enum sz_engine_status sz_check_operators(const struct sz_graph *graph, struct sz_fault *fault);

/* check_window.c, check_elementwise.c, check_layout.c: the part of it that is particular to one operator.
 * c is filled; x and y are in the arena and of the right types. */
enum sz_engine_status sz_check_window(const struct sz_checked_op *c);
enum sz_engine_status sz_check_elementwise(const struct sz_checked_op *c);
enum sz_engine_status sz_check_layout(const struct sz_checked_op *c);

/* check_head.c: work buffer of the head, in bytes. */
size_t sz_head_work_size(const struct sz_head_record *head);

/* Bytes of scratch that a checked operator needs at least; 0: none, and then it must not have any. */
uint64_t sz_scratch_needed(const struct sz_checked_op *c);

/* check_plan.c: overlap and liveness. `valid` has one byte per tensor. */
enum sz_engine_status sz_check_plan(const struct sz_graph *graph, uint8_t *valid, struct sz_fault *fault);

/* check_plan.c: what shares a byte with a tensor that is written holds its value no longer. */
void sz_forget_overwritten(const struct sz_graph *graph, uint16_t written, uint8_t *valid);

/* check_head.c: the graph's input, outputs and head; after sz_check_plan(), with its `valid`. */
enum sz_engine_status sz_check_head(const struct sz_graph *graph, const uint8_t *valid,
                                    struct sz_fault *fault);

static inline uint32_t sz_float_bits(float value)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline bool sz_is_finite(float value)
{
    return (sz_float_bits(value) & 0x7f800000u) != 0x7f800000u;
}

static inline bool sz_same_quantisation(const struct sz_tensor_record *a, const struct sz_tensor_record *b)
{
    return sz_float_bits(a->scale) == sz_float_bits(b->scale) && a->zero_point == b->zero_point;
}

static inline bool sz_same_shape(const struct sz_tensor_record *a, const struct sz_tensor_record *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, sizeof(a->dims)) == 0;
}

static inline uint32_t sz_dtype_size(uint8_t dtype)
{
    return dtype == SZ_I8 ? 1 : 4;
}

/* Both in the arena and at least one byte in common. Offsets are checked: the sums do not overflow 64 bits.
 */
static inline bool sz_overlaps(const struct sz_tensor_record *a, const struct sz_tensor_record *b)
{
    return a->place == SZ_ARENA && b->place == SZ_ARENA && a->offset < (uint64_t)b->offset + b->bytes &&
           b->offset < (uint64_t)a->offset + a->bytes;
}

#endif
