/*
 * S-Tinylib in process, as a worker of the bench (worker.h):
 *
 *     engine_worker GRAPH WEIGHTS INPUT
 *
 * WEIGHTS holds all segments, one behind the other; INPUT is the input tensor as it is. Besides: `ranges`
 * answers `ranges MIN MAX ...`, the least and greatest value of each operator's float32 output, in the order
 * of execution.
 */
#include "engine.h"
#include "worker.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

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
    engine_write_input(engine);
    for (uint32_t op = 0; op < engine->graph.header->op_count; op++) {
        engine_check(sz_graph_run_ops(&engine->graph, engine->segments, engine->segment_count, engine->arena,
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
    engine_open(&engine, argv[1], argv[2], argv[3]);
    return worker_serve(&(struct worker){&engine, engine_infer, engine_output, ranges});
}
