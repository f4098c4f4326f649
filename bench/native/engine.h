/*
 * S-Tinylib with a graph, its weights and an input, for the bench's workers.
 */
#ifndef SZ_BENCH_ENGINE_H
#define SZ_BENCH_ENGINE_H

#include "tinylib/engine.h"

struct engine {
    struct sz_graph graph;
    struct sz_segment *segments;
    size_t segment_count;
    void *arena;
    size_t arena_length;
    const void *input;
    size_t input_length;
};

/* Ends the program unless status is SZ_ENGINE_OK. */
void engine_check(enum sz_engine_status status, const struct sz_fault *fault);
/* Reads a graph; its segments, one behind the other in one file; and the input tensor as it is. */
void engine_open(struct engine *engine, const char *graph, const char *weights, const char *input);
void engine_write_input(struct engine *engine);

/* For struct worker; context is a struct engine. The input is written each time: in the arena it gives way to
 * later tensors. */
void engine_infer(void *context);
void engine_output(void *context, const void **bytes, size_t *length);

#endif
