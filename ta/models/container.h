/* The decrypted header of a model container (CDDL container-header): what the model is made of, checked, as views into the
 * header's bytes, which the caller keeps in secure memory for as long as the model lives. */
#ifndef SZ_CONTAINER_H
#define SZ_CONTAINER_H

#include "models/model.h"

enum {
    SZ_CONTAINER_MAX_SEGMENTS = 1024,
    SZ_CONTAINER_MAX_LABELS = 4096,
    SZ_CONTAINER_MAX_NAME = 48, /* bytes of one label name */
    SZ_SEGMENT_OVERHEAD = 16,   /* GCM tag */
};

struct sz_container {
    const uint8_t *graph;
    size_t graph_length;
    const uint8_t *segments; /* encoded: every entry has the fixed layout that sz_container_segment() reads */
    uint32_t segment_count;  /* weights; the golden test is one more */
    size_t weights_length;   /* plaintext bytes of all weight segments */
    uint32_t golden_size;    /* ciphertext bytes */
    uint8_t golden_digest[32];
    struct sz_input_shape input;
    uint32_t results_kind; /* 1 top-k, 2 detections, 3 reconstruction error, 4 vector */
    uint32_t results_most;
    const uint8_t *labels; /* encoded array items */
    size_t labels_length;
    uint32_t label_count;
    size_t label_longest; /* bytes of the longest name */
    float tolerance;
};

/* Checks the whole header. Shapes against the graph are the caller's next step. */
enum sz_code sz_container_read(const uint8_t *header, size_t length, struct sz_container *out);

/* Ciphertext size and SHA-256 of weight segment `index` (0-based, < segment_count). */
void sz_container_segment(const struct sz_container *container, uint32_t index, uint32_t *size, const uint8_t **digest);

/* Name of a class; *length = 0 where the model has none. */
const uint8_t *sz_container_label(const struct sz_container *container, uint32_t index, size_t *length);

/* Bytes of one frame of this shape; 0 where it overflows or a dim is 0. */
size_t sz_input_shape_bytes(const struct sz_input_shape *shape);

#endif
