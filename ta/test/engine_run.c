/*
 * Runs a graph on the host, for comparisons with other runtimes:
 *
 *     engine_run --graph g.bin --segment s0.bin [--segment s1.bin ...] --input in.bin [--format
 * tensor|u8|i8|f32]
 *                [--output-prefix out] [--head] [--runs N] [--ops]
 *     engine_run --graph g.bin --segment s0.bin ... --watch operators|outputs [--format tensor|u8|i8|f32]
 *     engine_run --target      prints the packing target of this machine's kernels
 *
 * --watch takes frames from standard input until that ends, one behind the other, and answers each with the
 * raw bytes of what every operator gave, in the order of execution, or of the graph's outputs.
 *
 * `tensor` (the default) is the input tensor's own type. Output i goes to <prefix>.<i>.bin, raw. Prints one
 * line of JSON: {"arena": bytes, "ms": best time of N runs, "results": [...], "vector": [...]}, the last two
 * with --head, and with --ops "ops": [[code, ms] of each operator]. Exit status 1 and
 * {"error", "op", "tensor"} if the graph is refused.
 */
#define _POSIX_C_SOURCE 200809L
#include "tinylib/engine.h"
#include "tinylib/head.h"
#include "tinylib/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_SEGMENT_FILES 4096

struct options {
    const char *graph, *input, *prefix;
    const char *segments[MAX_SEGMENT_FILES];
    size_t segment_count;
    const char *format;
    long runs;
    const char *watch;
    bool head, ops;
};

static void die(const char *what, const char *which)
{
    fprintf(stderr, "engine_run: %s: %s\n", what, which);
    exit(2);
}

/* Exactly as long as the file, so that a sanitizer sees any read behind its end. At least one byte. */
static void *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        die("cannot read", path);
    long end = ftell(file);
    rewind(file);
    *length = (size_t)end;
    void *bytes = NULL;
    if (posix_memalign(&bytes, 64, *length > 0 ? *length : 1) != 0)
        die("out of memory for", path);
    if (fread(bytes, 1, *length, file) != *length)
        die("cannot read", path);
    fclose(file);
    return bytes;
}

static void parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--head") == 0) {
            o->head = true;
            continue;
        }
        if (strcmp(argv[i], "--ops") == 0) {
            o->ops = true;
            continue;
        }
        if (value == NULL)
            die("value missing after", argv[i]);
        if (strcmp(argv[i], "--watch") == 0)
            o->watch = value;
        else if (strcmp(argv[i], "--graph") == 0)
            o->graph = value;
        else if (strcmp(argv[i], "--input") == 0)
            o->input = value;
        else if (strcmp(argv[i], "--format") == 0)
            o->format = value;
        else if (strcmp(argv[i], "--output-prefix") == 0)
            o->prefix = value;
        else if (strcmp(argv[i], "--runs") == 0)
            o->runs = strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--segment") == 0 && o->segment_count < MAX_SEGMENT_FILES)
            o->segments[o->segment_count++] = value;
        else
            die("unknown option", argv[i]);
        i++;
    }
    if (o->watch != NULL && strcmp(o->watch, "operators") != 0 && strcmp(o->watch, "outputs") != 0)
        die("--watch operators or outputs, not", o->watch);
    if (o->graph == NULL || (o->input == NULL && o->watch == NULL))
        die("missing option", "--graph and --input are needed");
}

static int refuse(enum sz_engine_status status, const struct sz_fault *fault)
{
    printf("{\"error\":%d,\"op\":%d,\"tensor\":%d}\n", (int)status,
           fault->op == SZ_NONE ? -1 : (int)fault->op, fault->tensor == SZ_NONE ? -1 : (int)fault->tensor);
    return 1;
}

static enum sz_input_format format_of(const struct options *o, const struct sz_tensor_record *input)
{
    if (strcmp(o->format, "u8") == 0)
        return SZ_INPUT_U8;
    if (strcmp(o->format, "i8") == 0)
        return SZ_INPUT_I8;
    if (strcmp(o->format, "f32") == 0)
        return SZ_INPUT_F32;
    if (strcmp(o->format, "tensor") != 0)
        die("unknown format", o->format);
    return input->dtype == SZ_F32 ? SZ_INPUT_F32 : SZ_INPUT_I8;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void write_outputs(const struct sz_graph *graph, const void *arena, size_t arena_length,
                          const char *prefix)
{
    for (uint32_t i = 0; i < graph->header->output_count; i++) {
        const struct sz_tensor_record *record;
        const void *data = sz_graph_output(graph, i, arena, arena_length, &record);
        char path[4096];
        snprintf(path, sizeof(path), "%s.%u.bin", prefix, (unsigned)i);
        FILE *file = fopen(path, "wb");
        if (file == NULL || fwrite(data, 1, record->bytes, file) != record->bytes || fclose(file) != 0)
            die("cannot write", path);
    }
}

static void print_head(const struct sz_graph *graph, const struct sz_segment *segments, size_t segment_count,
                       const void *arena, size_t arena_length, void *work, size_t work_length)
{
    struct sz_result results[SZ_MAX_RESULTS];
    size_t count;
    enum sz_engine_status status = sz_head_results(graph, segments, segment_count, arena, arena_length, work,
                                                   work_length, results, SZ_MAX_RESULTS, &count);
    printf(",\"headStatus\":%d,\"results\":[", (int)status);
    for (size_t i = 0; i < count; i++)
        printf("%s{\"class\":%u,\"score\":%.9g,\"box\":[%.9g,%.9g,%.9g,%.9g]}", i ? "," : "",
               (unsigned)results[i].class_index, (double)results[i].score, (double)results[i].box[0],
               (double)results[i].box[1], (double)results[i].box[2], (double)results[i].box[3]);
    printf("]");
    if (graph->header->head.kind != SZ_HEAD_VECTOR)
        return;
    const struct sz_tensor_record *t = &graph->tensors[graph->header->head.tensors[0]];
    printf(",\"vector\":[");
    for (size_t i = 0; i < t->bytes / (t->dtype == SZ_F32 ? sizeof(float) : 1); i++)
        printf("%s%.9g", i ? "," : "", (double)sz_value_at(t, (const uint8_t *)arena + t->offset, i));
    printf("]");
}

/* The arena's input may have been overwritten: the times are right, the values need not be. Operators in
 * bands run together: the first of them has the time of all. */
static void print_ops(const struct sz_graph *graph, const struct sz_segment *segments, size_t segment_count,
                      void *arena, size_t arena_length)
{
    printf(",\"ops\":[");
    const uint32_t bands = graph->header->band_ops;
    for (uint32_t i = 0; i < graph->header->op_count; i++) {
        uint32_t count = i >= bands ? 1 : i == 0 ? bands : 0;
        double start = now_ms();
        if (count > 0 && sz_graph_run_ops(graph, segments, segment_count, arena, arena_length, i, count,
                                          NULL) != SZ_ENGINE_OK)
            die("cannot run", "an operator by itself");
        printf("%s[%d,%.4f]", i ? "," : "", graph->ops[i].code, now_ms() - start);
    }
    printf("]");
}

/* False at the end of the frames. */
static bool read_frame(void *frame, size_t length)
{
    size_t got = fread(frame, 1, length, stdin);
    if (got != 0 && got != length)
        die("standard input ends inside", "a frame");
    return got == length;
}

static void write_tensor(const void *bytes, size_t length)
{
    if (fwrite(bytes, 1, length, stdout) != length)
        die("cannot write", "standard output");
}

/* One operator at a time: what it gave is in the arena until a later one takes the place. */
static enum sz_engine_status watch_operators(const struct sz_graph *graph, const struct sz_segment *segments,
                                             size_t segment_count, void *arena, struct sz_fault *fault)
{
    const size_t arena_length = graph->header->arena_size;
    for (uint32_t i = 0; i < graph->header->op_count; i++) {
        const struct sz_tensor_record *y = &graph->tensors[graph->ops[i].outputs[0]];
        enum sz_engine_status status =
            sz_graph_run_ops(graph, segments, segment_count, arena, arena_length, i, 1, fault);
        if (status != SZ_ENGINE_OK)
            return status;
        write_tensor((char *)arena + y->offset, y->bytes);
    }
    return SZ_ENGINE_OK;
}

static enum sz_engine_status watch_outputs(const struct sz_graph *graph, const struct sz_segment *segments,
                                           size_t segment_count, void *arena, struct sz_fault *fault)
{
    const size_t arena_length = graph->header->arena_size;
    enum sz_engine_status status = sz_graph_run_ops(graph, segments, segment_count, arena, arena_length, 0,
                                                    graph->header->op_count, fault);
    for (uint32_t i = 0; status == SZ_ENGINE_OK && i < graph->header->output_count; i++) {
        const struct sz_tensor_record *record;
        const void *bytes = sz_graph_output(graph, i, arena, arena_length, &record);
        write_tensor(bytes, record->bytes);
    }
    return status;
}

static int watch(const struct sz_graph *graph, const struct sz_segment *segments, const struct options *o,
                 enum sz_input_format format, void *arena)
{
    const struct sz_tensor_record *input = &graph->tensors[graph->header->input];
    const bool outputs = strcmp(o->watch, "outputs") == 0;
    size_t length = format == SZ_INPUT_F32 ? sizeof(float) : 1;
    for (uint32_t i = 0; i < input->rank; i++)
        length *= input->dims[i];
    struct sz_fault fault = {SZ_NONE, SZ_NONE};
    void *frame = malloc(length);
    if (frame == NULL)
        die("out of memory for", "a frame");
    enum sz_engine_status status = graph->header->band_ops == 0 || outputs ? SZ_ENGINE_OK : SZ_ENGINE_RANGE;
    while (status == SZ_ENGINE_OK && read_frame(frame, length)) {
        status = sz_input_write(graph, format, input->dims, input->rank, frame, length, arena,
                                graph->header->arena_size);
        if (status == SZ_ENGINE_OK)
            status =
                (outputs ? watch_outputs : watch_operators)(graph, segments, o->segment_count, arena, &fault);
        fflush(stdout);
    }
    free(frame);
    if (status != SZ_ENGINE_OK)
        fprintf(stderr, "engine_run: status %d at operator %d\n", (int)status, (int)fault.op);
    return status == SZ_ENGINE_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--target") == 0) {
        puts(sz_native_target_name());
        return 0;
    }
    static struct options o = {.format = "tensor", .runs = 1};
    static struct sz_segment segments[MAX_SEGMENT_FILES];
    struct sz_graph graph;
    struct sz_fault fault = {SZ_NONE, SZ_NONE};
    size_t graph_length, input_length;
    parse(argc, argv, &o);
    void *bytes = read_file(o.graph, &graph_length);
    for (size_t i = 0; i < o.segment_count; i++)
        segments[i].bytes = read_file(o.segments[i], &segments[i].length);
    void *input = o.watch != NULL ? NULL : read_file(o.input, &input_length);
    size_t work_length = sz_graph_work_size(bytes, graph_length);
    void *work = malloc(work_length > 0 ? work_length : 1);
    enum sz_engine_status status = sz_graph_open(&graph, bytes, graph_length, work, work_length, &fault);
    if (status != SZ_ENGINE_OK)
        return refuse(status, &fault);
    void *arena = NULL;
    size_t arena_length = graph.header->arena_size;
    if (posix_memalign(&arena, 64, arena_length) != 0)
        die("out of memory for", "the arena");
    const struct sz_tensor_record *t = &graph.tensors[graph.header->input];
    enum sz_input_format format = format_of(&o, t);
    if (o.watch != NULL)
        exit(watch(&graph, segments, &o, format, arena));
    double best = 1e300;
    for (long run = 0; run < (o.runs > 0 ? o.runs : 1); run++) {
        memset(arena, 0xa5, arena_length);
        double start = now_ms();
        status = sz_input_write(&graph, format, t->dims, t->rank, input, input_length, arena, arena_length);
        if (status == SZ_ENGINE_OK)
            status = sz_graph_run_ops(&graph, segments, o.segment_count, arena, arena_length, 0,
                                      graph.header->op_count, &fault);
        double ms = now_ms() - start;
        best = ms < best ? ms : best;
        if (status != SZ_ENGINE_OK)
            return refuse(status, &fault);
    }
    if (o.prefix != NULL)
        write_outputs(&graph, arena, arena_length, o.prefix);
    printf("{\"arena\":%zu,\"ms\":%.3f", arena_length, best);
    if (o.head)
        print_head(&graph, segments, o.segment_count, arena, arena_length, work, work_length);
    if (o.ops)
        print_ops(&graph, segments, o.segment_count, arena, arena_length);
    printf("}\n");
    free(arena);
    free(work);
    free(input);
    free(bytes);
    for (size_t i = 0; i < o.segment_count; i++)
        free((void *)(uintptr_t)segments[i].bytes);
    return 0;
}
