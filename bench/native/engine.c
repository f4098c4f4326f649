#define _POSIX_C_SOURCE 200809L
#include "engine.h"
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void engine_check(enum sz_engine_status status, const struct sz_fault *fault)
{
    if (status == SZ_ENGINE_OK)
        return;
    fprintf(stderr, "engine status %d, operator %d, tensor %d\n", (int)status, (int)fault->op,
            (int)fault->tensor);
    exit(1);
}

static void open_graph(struct engine *engine, const char *path)
{
    struct sz_fault fault = {SZ_NONE, SZ_NONE};
    size_t length;
    void *bytes = worker_read_file(path, &length);
    size_t work_length = sz_graph_work_size(bytes, length);
    void *work = malloc(work_length > 0 ? work_length : 1);
    engine_check(sz_graph_open(&engine->graph, bytes, length, work, work_length, &fault), &fault);
    free(work);
    engine->arena_length = engine->graph.header->arena_size;
    if (posix_memalign(&engine->arena, 64, engine->arena_length) != 0)
        worker_die("out of memory for", "the arena");
    memset(engine->arena, 0, engine->arena_length);
}

/* Copies each segment to an aligned place of its own, as a TA has it. */
static void open_weights(struct engine *engine, const char *path)
{
    size_t length, at = 0;
    const uint8_t *bytes = worker_read_file(path, &length);
    engine->segment_count = engine->graph.header->segment_count;
    engine->segments = calloc(engine->segment_count + 1, sizeof(*engine->segments));
    for (size_t i = 0; i < engine->segment_count; i++) {
        size_t size = engine->graph.segment_bytes[i];
        void *copy = NULL;
        if (size > length - at || posix_memalign(&copy, 64, size) != 0)
            worker_die("too short, or out of memory", path);
        memcpy(copy, bytes + at, size);
        at += size;
        engine->segments[i] = (struct sz_segment){copy, size};
    }
    free((void *)(uintptr_t)bytes);
}

void engine_write_input(struct engine *engine)
{
    const struct sz_tensor_record *t = &engine->graph.tensors[engine->graph.header->input];
    struct sz_fault fault = {SZ_NONE, SZ_NONE};
    engine_check(sz_input_write(&engine->graph, t->dtype == SZ_F32 ? SZ_INPUT_F32 : SZ_INPUT_I8, t->dims,
                                t->rank, engine->input, engine->input_length, engine->arena,
                                engine->arena_length),
                 &fault);
}

void engine_infer(void *context)
{
    struct engine *engine = context;
    struct sz_fault fault = {SZ_NONE, SZ_NONE};
    engine_write_input(engine);
    engine_check(sz_graph_run_ops(&engine->graph, engine->segments, engine->segment_count, engine->arena,
                                  engine->arena_length, 0, engine->graph.header->op_count, &fault),
                 &fault);
}

void engine_output(void *context, const void **bytes, size_t *length)
{
    struct engine *engine = context;
    const struct sz_tensor_record *record;
    *bytes = sz_graph_output(&engine->graph, 0, engine->arena, engine->arena_length, &record);
    *length = record->bytes;
}

void engine_open(struct engine *engine, const char *graph, const char *weights, const char *input)
{
    open_graph(engine, graph);
    open_weights(engine, weights);
    engine->input = worker_read_file(input, &engine->input_length);
}
