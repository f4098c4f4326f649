/* SUIT envelopes and manifests, container headers, and what a hostile publisher's header leads to: graph,
 * weights, golden test and an inference on hostile weights. The first byte of an input chooses. */
#include "fuzz.h"
#include "models/infer.h"
#include "models/stream.h"
#include "trust/cbor_read.h"
#include "trust/crypto.h"

#include <string.h>

static const char *const names[FUZZ_MODEL_FORMS] = {"envelope", "manifest", "header", "golden", "graph"};

static struct fuzz_model sample;

static struct sz_bytes graph_of(const uint8_t *header, size_t length)
{
    struct sz_cbor_reader r = sz_cbor_reader(SZ_BYTES(header, length));
    (void)sz_cbor_map(&r);
    sz_cbor_key(&r, 1);
    return sz_cbor_bstr(&r);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint8_t manifest[FUZZ_MESSAGE], envelope[FUZZ_MESSAGE];
    uint8_t head = FUZZ_ENVELOPE;
    struct sz_bytes graph;
    size_t length;
    (void)argc;
    (void)argv;
    (void)fuzz_form(0, names, FUZZ_MODEL_FORMS); /* a wrong FUZZ_ONLY ends here */
    fuzz_random_restart();
    FUZZ_CHECK(sz_crypto_init() == SZ_OK);
    fuzz_parties_make();
    fuzz_model_make(&sample);
    length = fuzz_manifest(manifest, &sample, 1);
    fuzz_seed(&head, 1, envelope, fuzz_envelope(envelope, manifest, length));
    head = FUZZ_MANIFEST;
    fuzz_seed(&head, 1, manifest, length);
    head = FUZZ_HEADER;
    fuzz_seed(&head, 1, sample.header, sample.header_length);
    head = FUZZ_GOLDEN;
    fuzz_seed(&head, 1, sample.golden, sample.golden_length);
    head = FUZZ_GRAPH;
    graph = graph_of(sample.header, sample.header_length);
    fuzz_seed(&head, 1, graph.at, graph.length);
    return 0;
}

static void read_manifest(const uint8_t *envelope, size_t length)
{
    struct sz_manifest manifest;
    uint8_t *const copy = fuzz_copy(envelope, length);
    const enum sz_code code = sz_manifest_read(copy, length, &manifest);
    FUZZ_TAKEN(code == SZ_OK);
    if (code == SZ_OK) {
        FUZZ_CHECK(manifest.sequence != 0);
        (void)sz_manifest_verify(copy, length, fuzz_publisher.signing.public_key);
    }
    free(copy);
}

enum { HEADER_ROOM = 8, SMALL = 1 << 16 };

/* A slot whose header is this, with weights that nobody checked. */
static bool prepare(struct sz_slot *slot, const uint8_t *header, size_t length)
{
    struct sz_shortage shortage;
    enum sz_code code;
    if (length == 0 || !sz_buffer_allocate(&slot->header, length + HEADER_ROOM)) {
        return false;
    }
    memcpy(slot->header.at, header, length);
    code = sz_slot_prepare(slot, &shortage);
    FUZZ_TAKEN(code == SZ_OK || code == SZ_MODEL_MEMORY);
    if (code != SZ_OK) {
        return false;
    }
    for (uint32_t i = 0; i < slot->container.segment_count; i++) {
        memset(sz_slot_residents(slot)[i].at, 0x7f, sz_slot_residents(slot)[i].length);
    }
    return true;
}

static bool is_small(const struct sz_slot *slot)
{
    size_t weights = 0;
    for (uint32_t i = 0; i < slot->container.segment_count; i++) {
        weights += slot->graph.segment_bytes[i];
    }
    return slot->window.at == NULL && slot->arena.length <= SMALL && weights <= SMALL;
}

/* All segments that an inference wants are told, and each fits in the window when it is wanted. */
static void stream(struct sz_slot *slot)
{
    struct sz_stream_walk walk;
    uint32_t segment, steps = 0;
    FUZZ_CHECK(sz_buffer_allocate(&slot->window, sz_stream_window_needed(slot)));
    for (uint32_t i = 0; i < slot->container.segment_count; i++) {
        sz_buffer_release(&sz_slot_residents(slot)[i]);
        sz_slot_table(slot)[i].bytes = NULL;
    }
    sz_stream_walk_whole(&walk, slot);
    while ((segment = sz_stream_walk_next(&walk)) != SZ_STREAM_NONE) {
        FUZZ_CHECK(segment < slot->container.segment_count && walk.used <= slot->window.length);
        FUZZ_CHECK(++steps <= (slot->graph.header->op_count + 1u) * SZ_MAX_OP_INPUTS);
    }
}

static void use_header(const uint8_t *header, size_t length)
{
    struct sz_slot slot = {0};
    /* Models of any size are allowed; only small ones are run here, for time. */
    if (prepare(&slot, header, length) && is_small(&slot)) {
        uint8_t *const frame = sz_slot_plaintext(&slot) + SZ_FRAME_FRAMING / 2;
        struct sz_results results;
        enum sz_code code =
            sz_slot_begin(&slot, SZ_BYTES(frame, sz_input_shape_bytes(&slot.container.input)));
        if (code == SZ_OK) {
            code = sz_slot_advance(&slot);
        }
        if (code == SZ_OK) {
            code = sz_slot_results(&slot, &results);
        }
        FUZZ_CHECK(code == SZ_OK || code == SZ_BAD_FRAME);
        for (size_t i = 0; code == SZ_OK && i < results.count; i++) {
            FUZZ_CHECK(sz_container_label(&slot.container, (uint32_t)i).length <= SZ_CONTAINER_MAX_NAME);
        }
        sz_slot_end_inference(&slot);
        stream(&slot);
    }
    sz_slot_release(&slot);
}

static void use_graph(const uint8_t *graph, size_t length)
{
    static uint8_t header[FUZZ_MESSAGE];
    if (length <= FUZZ_PAYLOAD) {
        use_header(header, fuzz_header_with(header, &sample, graph, length));
    }
}

static void use_golden(const uint8_t *golden, size_t length)
{
    struct sz_slot slot = {0};
    struct sz_buffer expected = {0};
    FUZZ_CHECK(prepare(&slot, sample.header, sample.header_length));
    if (length <= slot.container.golden_size - SZ_SEGMENT_OVERHEAD) {
        memcpy(sz_slot_plaintext(&slot), golden, length);
        if (sz_golden_begin(&slot, length, &expected) == SZ_OK && sz_slot_advance(&slot) == SZ_OK) {
            (void)sz_golden_compare(&slot, &expected);
        }
    }
    sz_buffer_release(&expected);
    sz_slot_release(&slot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    static uint8_t envelope[FUZZ_MESSAGE];
    if (length == 0) {
        return 0;
    }
    switch (fuzz_form(data[0], names, FUZZ_MODEL_FORMS)) {
    case FUZZ_ENVELOPE:
        read_manifest(data + 1, length - 1);
        break;
    case FUZZ_MANIFEST:
        if (length < FUZZ_MESSAGE / 2) {
            read_manifest(envelope, fuzz_envelope(envelope, data + 1, length - 1));
        }
        break;
    case FUZZ_HEADER:
        use_header(data + 1, length - 1);
        break;
    case FUZZ_GRAPH:
        use_graph(data + 1, length - 1);
        break;
    default:
        use_golden(data + 1, length - 1);
        break;
    }
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned random)
{
    return fuzz_mutate(data, size, most, random, 1);
}
