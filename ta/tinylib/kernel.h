/*
 * What a kernel gets, and the table that says which one runs an operator. Kernels are only called for
 * operators that sz_graph_open() has checked: they do not check again, but no value of a weight, scale or
 * activation may lead them outside their tensors or into undefined behaviour.
 */
#ifndef SZ_TINYLIB_KERNEL_H
#define SZ_TINYLIB_KERNEL_H

#include "graph.h"

struct sz_operand {
    const struct sz_tensor_record *record; /* NULL for an optional input that is not there */
    const void *data;
};

struct sz_call {
    const struct sz_op_record *op;
    struct sz_operand in[SZ_MAX_OP_INPUTS];
    const struct sz_tensor_record *out;
    void *y;
    void *scratch; /* of scratch_length bytes; NULL where the operator needs none */
    size_t scratch_length;
};

typedef void (*sz_kernel)(const struct sz_call *call);

/* By operator code and the type of the operator's first input. NULL: there is no such operator. */
struct sz_kernel_table {
    sz_kernel f32[SZ_OP_LAST + 1];
    sz_kernel i8[SZ_OP_LAST + 1];
};

/* Plain C for every operator: the definition of what the faster ones must compute. */
extern const struct sz_kernel_table sz_kernels_reference;

static inline size_t sz_elements(const struct sz_tensor_record *t)
{
    return (size_t)t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3];
}

/* The last used dimension: channels. */
static inline size_t sz_channels(const struct sz_tensor_record *t)
{
    return t->dims[t->rank - 1];
}

#endif
