/*
 * S-Tinylib in process, as a worker of the bench (worker.h):
 *
 *     engine_worker GRAPH WEIGHTS INPUT
 *
 * WEIGHTS holds all segments, one behind the other; INPUT is the input tensor as it is. Besides: `ranges`
 * answers `ranges MIN MAX ...`, the least and greatest value of each operator's float32 output, in the order
 * of execution.
 */
#define _POSIX_C_SOURCE 200809L
#include "tinylib/engine.h"
#include "worker.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct engine {
    struct sz_graph graph;
    struct sz_segment *segments;
    size_t segment_count;
    void *arena;
    size_t arena_length;
    const void *input;
    size_t input_length;
};

static void check(enum sz_engine_status status, const struct sz_fault *fault)
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
    check(sz_graph_open(&engine->graph, bytes, length, work, work_length, &fault), &fault);
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

static void write_input(struct engine *engine)
{
    const struct sz_tensor_record *t = &engine->graph.tensors[engine->graph.header->input];
    struct sz_fault fault = {SZ_NONE, SZ_NONE};
    check(sz_input_write(&engine->graph, t->dtype == SZ_F32 ? SZ_INPUT_F32 : SZ_INPUT_I8, t->dims, t->rank,
                         engine->input, engine->input_length, engine->arena, engine->arena_length),
          &fault);
}

/* The input is written each time: in the arena it gives way to later tensors. */
static void infer(void *context)
{
    struct engine *engine = context;
    struct sz_fault fault = {SZ_NONE, SZ_NONE};
    write_input(engine);
    check(sz_graph_run(&engine->graph, engine->segments, engine->segment_count, engine->arena,
                       engine->arena_length, &fault),
          &fault);
}

static void output(void *context, const void **bytes, size_t *length)
{
    struct engine *engine = context;
    const struct sz_tensor_record *record;
    *bytes = sz_graph_output(&engine->graph, 0, engine->arena, engine->arena_length, &record);
    *length = record->bytes;
}

static void print_range(const struct engine *engine, const struct sz_tensor_record *tensor)
{
    const float *values = (const float *)(const void *)((const uint8_t *)engine->arena + tensor->offset);
    float least = FLT_MAX, greatest = -FLT_MAX;
    for (size_t i = 0; i < tensor->bytes / sizeof(float); i++) {
        least = values[i] < least ? values[i] : least;
        greatest = values[i] > greatest ? values[i] : greatest;
    }
    printf(" %.9g %.9g", (double)least, (double)greatest);
}

static bool ranges(void *context, const char *command)
{
    struct engine *engine = context;
    struct sz_fault fault = {SZ_NONE, SZ_NONE};
    if (strcmp(command, "ranges") != 0)
        return false;
    printf("ranges");
    write_input(engine);
    for (uint32_t op = 0; op < engine->graph.header->op_count; op++) {
        check(sz_graph_run_ops(&engine->graph, engine->segments, engine->segment_count, engine->arena,
                               engine->arena_length, op, 1, &fault),
              &fault);
        print_range(engine, &engine->graph.tensors[engine->graph.ops[op].outputs[0]]);
    }
    printf("\n");
    return true;
}

int main(int argc, char **argv)
{
    static struct engine engine;
    if (argc != 4)
        worker_die("usage", "engine_worker GRAPH WEIGHTS INPUT");
    open_graph(&engine, argv[1]);
    open_weights(&engine, argv[2]);
    engine.input = worker_read_file(argv[3], &engine.input_length);
    return worker_serve(&(struct worker){&engine, infer, output, ranges});
}
