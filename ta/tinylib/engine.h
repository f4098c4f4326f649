/*
 * S-Tinylib: runs a network described by graph.h. Buffers in, buffers out: no allocation, no recursion, no
 * global state, no C library beyond string.h.
 *
 *     struct sz_graph graph;
 *     struct sz_fault fault;
 *     sz_graph_open(&graph, bytes, length, work, sz_graph_work_size(bytes, length), &fault);
 *     sz_input_write(&graph, SZ_INPUT_U8, dims, 3, frame, frame_length, arena, arena_length);
 *     sz_graph_run_ops(&graph, segments, segment_count, arena, arena_length, 0, op_count, &fault);
 *     sz_head_results(&graph, segments, segment_count, arena, arena_length, work, work_length, results,
 * capacity, &count);
 *
 * The graph's bytes must stay unchanged and in place while `struct sz_graph` is used. One graph may be run by
 * several callers at once, each with its own arena.
 */
#ifndef SZ_TINYLIB_ENGINE_H
#define SZ_TINYLIB_ENGINE_H

#include "graph.h"

/* Stable numbers: they leave the TA in diagnostics. */
enum sz_engine_status {
    SZ_ENGINE_OK = 0,
    SZ_ENGINE_LENGTH =
        1, /* the bytes are not as long as the header and the counts say, or not 8-byte aligned */
    SZ_ENGINE_MAGIC = 2,        /* not SZG1 */
    SZ_ENGINE_VERSION = 3,      /* a format or packing target that these kernels do not read */
    SZ_ENGINE_LIMIT = 4,        /* a count is zero or above its limit */
    SZ_ENGINE_RESERVED = 5,     /* a reserved or unused field is set */
    SZ_ENGINE_TENSOR = 6,       /* data type, place, rank, dimensions or byte size of a tensor */
    SZ_ENGINE_BOUNDS = 7,       /* a tensor is not aligned or not inside its arena or segment */
    SZ_ENGINE_QUANTISATION = 8, /* scale or zero point out of range, or not as the operator needs it */
    SZ_ENGINE_OPERATOR = 9,     /* unknown operator, wrong number, place or type of its tensors */
    SZ_ENGINE_PARAMETER = 10,   /* an operator's parameter is out of range */
    SZ_ENGINE_SHAPE = 11,       /* shapes do not follow from the operator's inputs */
    SZ_ENGINE_OVERLAP = 12,     /* an output overlaps an input or another output where it may not */
    SZ_ENGINE_LIVENESS = 13,    /* an operator reads what was not written yet, or was overwritten */
    SZ_ENGINE_HEAD = 14,        /* the head, the graph's input or its outputs */
    SZ_ENGINE_WORK = 15,        /* work buffer missing or too small */
    SZ_ENGINE_ARENA = 16,       /* arena missing, misaligned or too small */
    SZ_ENGINE_SEGMENT = 17,     /* a segment that is needed is missing, misaligned or has another length */
    SZ_ENGINE_INPUT = 18,       /* format, shape or length of the input data */
    SZ_ENGINE_CAPACITY = 19,    /* the caller's result array is too small */
    SZ_ENGINE_RANGE = 20,       /* no such operators */
};

/* Where the trouble is: index of operator and tensor, SZ_NONE where it is none in particular. */
struct sz_fault {
    uint16_t op;
    uint16_t tensor;
};

struct sz_kernel_table;
struct sz_target_kernels;

/* An opened graph: pointers into the caller's bytes, all checked. */
struct sz_graph {
    const struct sz_graph_header *header;
    const uint32_t *segment_bytes;
    const struct sz_tensor_record *tensors;
    const struct sz_op_record *ops;
    const struct sz_target_kernels *native; /* NULL: packed for the reference */
};

struct sz_segment {
    const void *bytes; /* aligned to SZ_ALIGNMENT; NULL: not here at the moment */
    size_t length;     /* exactly the graph's segment_bytes[i] */
};

struct sz_result {
    uint16_t class_index;
    float score;
    float box[4]; /* detections: x_min, y_min, x_max, y_max as fractions of the input picture; otherwise 0 */
};

enum sz_input_format {
    SZ_INPUT_U8 = 1,
    SZ_INPUT_I8 = 2,
    SZ_INPUT_F32 = 3,
};

/* Bytes of work buffer that sz_graph_open() and sz_head_results() need for this graph; 0 if `bytes` cannot be
 * one. */
size_t sz_graph_work_size(const void *bytes, size_t length);

/*
 * Checks every field of a graph and its memory plan, and fills `graph`. `bytes` is 8-byte aligned. After
 * SZ_ENGINE_OK no content of weights, input or arena can make the functions below read or write outside the
 * buffers given. `work` is used only during the call. `fault` may be NULL.
 */
enum sz_engine_status sz_graph_open(struct sz_graph *graph, const void *bytes, size_t length, void *work,
                                    size_t work_length, struct sz_fault *fault);

/*
 * Runs operators first .. first + count - 1. To be called for consecutive ranges from 0 on with the same
 * arena; between calls the caller may exchange segments. Only segments that the range needs must be there.
 * Stops before the first operator whose segment is missing: nothing of that operator has run, and fault->op
 * is where to continue. Operators that run in bands (graph.h: band_ops) run as if they were one: a range has
 * all of them or none, and each needs the segments of all.
 */
enum sz_engine_status sz_graph_run_ops(const struct sz_graph *graph, const struct sz_segment *segments,
                                       size_t segment_count, void *arena, size_t arena_length, uint32_t first,
                                       uint32_t count, struct sz_fault *fault);

/*
 * Writes the graph's input. `dims` is the shape of `data`: the input's dims exactly, or without a leading dim
 * of 1. U8 is converted by the header's a and b (and quantised), I8 is for int8 inputs only and taken as it
 * is, F32 is taken as it is or quantised. `data` needs no alignment.
 * `data` may overlap the input tensor if it neither begins nor ends before it does.
 */
enum sz_engine_status sz_input_write(const struct sz_graph *graph, enum sz_input_format format,
                                     const uint32_t *dims, size_t rank, const void *data, size_t length,
                                     void *arena, size_t arena_length);

/*
 * What the outputs mean, by the graph's head (TOP_K, DETECTIONS, RECONSTRUCTION), best first. `capacity` must
 * be at least the head's max_results. `work` as sz_graph_work_size() says. Results never contain NaN or
 * infinity. The head VECTOR and the absence of a head give no results (count 0).
 */
enum sz_engine_status sz_head_results(const struct sz_graph *graph, const struct sz_segment *segments,
                                      size_t segment_count, const void *arena, size_t arena_length,
                                      void *work, size_t work_length, struct sz_result *results,
                                      size_t capacity, size_t *count);

/* Output tensor `index` (0 .. output_count - 1) as it lies in the arena; NULL if there is none. */
const void *sz_graph_output(const struct sz_graph *graph, uint32_t index, const void *arena,
                            size_t arena_length, const struct sz_tensor_record **record);

#endif
