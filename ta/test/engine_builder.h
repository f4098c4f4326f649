/* Builds graphs for tests, and runs them in buffers of exactly the declared sizes (so that sanitizers see
 * every slip). */
#ifndef SZ_TEST_ENGINE_BUILDER_H
#define SZ_TEST_ENGINE_BUILDER_H

#include "tinylib/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int failures;

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
            failures++;                                                                                      \
        }                                                                                                    \
    } while (0)

#define BUILD_TENSORS 48
#define BUILD_OPS 24
#define BUILD_SEGMENTS 4

struct builder {
    struct sz_graph_header header;
    struct sz_tensor_record tensors[BUILD_TENSORS];
    struct sz_op_record ops[BUILD_OPS];
    uint8_t *segments[BUILD_SEGMENTS];
    uint32_t segment_bytes[BUILD_SEGMENTS + 1];
    uint16_t segment; /* where the next weights go */
};

struct shape {
    uint32_t d[4];
};

#define SHAPE(...)                                                                                           \
    (struct shape)                                                                                           \
    {                                                                                                        \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }

void build_start(struct builder *b);
void build_free(struct builder *b);

/* A new tensor behind all others in the arena. Dims that are 0 are not used. scale and zero are for SZ_I8. */
uint16_t build_arena(struct builder *b, uint8_t dtype, struct shape shape, float scale, int32_t zero);

/* The same, at a given offset; the arena grows as needed. */
uint16_t build_arena_at(struct builder *b, uint8_t dtype, struct shape shape, float scale, int32_t zero,
                        uint32_t offset);

/* Copies `data` (or random bytes if NULL) into the current segment. */
uint16_t build_weight(struct builder *b, uint8_t dtype, struct shape shape, float scale, int32_t zero,
                      const void *data);

/* An operator with up to four inputs; SZ_NONE ends the list (use build_op_n for absent inputs). */
struct sz_op_record *build_op(struct builder *b, uint8_t code, uint16_t y, uint16_t in0, uint16_t in1,
                              uint16_t in2, uint16_t in3);
struct sz_op_record *build_op_n(struct builder *b, uint8_t code, uint16_t y, const uint16_t *in,
                                uint8_t count);

void build_input(struct builder *b, uint16_t tensor);
void build_output(struct builder *b, uint16_t tensor);

/* The graph's bytes, in a buffer of their exact length that the caller frees. */
uint8_t *build_bytes(const struct builder *b, size_t *length);

/* Opens and runs; `input` is the input tensor's own type. Returns the arena (free it), or NULL with *status
 * set. */
uint8_t *build_run(const struct builder *b, const void *input, enum sz_engine_status *status);

/* Opens only. */
enum sz_engine_status build_open(const struct builder *b, struct sz_fault *fault);

/* xorshift: the same numbers on every machine. */
extern uint32_t random_state;
uint32_t random_u32(void);
int32_t random_between(int32_t low, int32_t high);
float random_float(float low, float high);

#endif
