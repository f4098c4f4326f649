/* The decrypted header of a model container (CDDL container-header): what the model is made of, checked, as
 * views into the header's bytes, which the caller keeps in secure memory for as long as the model lives. */
#ifndef SZ_CONTAINER_H
#define SZ_CONTAINER_H

#include "models/model.h"
#include "trust/cbor_read.h"
#include "trust/crypto.h"

enum {
    SZ_CONTAINER_MAX_SEGMENTS = 1024,
    SZ_CONTAINER_MAX_LABELS = 4096,
    SZ_CONTAINER_MAX_NAME = 48, /* bytes of one label name */
    SZ_SEGMENT_OVERHEAD = SZ_TAG_SIZE,
};

enum sz_results_kind {
    SZ_RESULTS_TOP_K = 1,
    SZ_RESULTS_DETECTIONS = 2,
    SZ_RESULTS_RECONSTRUCTION = 3,
    SZ_RESULTS_VECTOR = 4,
};

enum {
    SZ_RESULTS_MAX = 64,               /* results of one label */
    SZ_RESULTS_MAX_VECTOR = 16 * 1024, /* bytes of a vector result */
};

struct sz_container {
    struct sz_bytes graph;
    struct sz_bytes segments; /* from the first weight segment's entry on */
    uint32_t segment_count;   /* weights; the golden test is one more */
    uint32_t golden_size;     /* ciphertext bytes */
    uint8_t golden_digest[SZ_SHA256_SIZE];
    struct sz_input_shape input;
    uint32_t results_kind;  /* enum sz_results_kind */
    uint32_t results_most;  /* results; bytes of a vector */
    struct sz_bytes labels; /* from the first name on */
    uint32_t label_count;
    size_t label_longest; /* bytes of the longest name */
    float tolerance;
};

/* Checks the whole header. Whether graph and shapes agree is the loader's next step. SZ_MALFORMED and the
 * like. */
enum sz_code sz_container_read(const uint8_t *header, size_t length, struct sz_container *out);

/* SHA-256 of weight segment `index` (0-based, < segment_count), *size: its ciphertext bytes. */
const uint8_t *sz_container_segment(const struct sz_container *container, uint32_t index, uint32_t *size);

/* Name of a class; length 0 where the model has none. */
struct sz_bytes sz_container_label(const struct sz_container *container, uint32_t index);

#endif
