/* SUIT envelopes and manifests, container headers, and what a hostile publisher's header leads to: graph,
 * weights, golden test and an inference on hostile weights. The first byte of an input chooses. */
#include "fuzz.h"
#include "models/slot.h"
#include "trust/crypto.h"

#include <string.h>

enum { ENVELOPE, MANIFEST, HEADER, GOLDEN, FORMS };

static struct fuzz_model sample;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint8_t manifest[FUZZ_MESSAGE], envelope[FUZZ_MESSAGE];
    uint8_t head = ENVELOPE;
    size_t length;
    (void)argc;
    (void)argv;
    fuzz_random_restart();
    FUZZ_CHECK(sz_crypto_init() == SZ_OK);
    fuzz_parties_make();
    fuzz_model_make(&sample);
    length = fuzz_manifest(manifest, &sample, 1);
    fuzz_seed(&head, 1, envelope, fuzz_envelope(envelope, manifest, length));
    head = MANIFEST;
    fuzz_seed(&head, 1, manifest, length);
    head = HEADER;
    fuzz_seed(&head, 1, sample.header, sample.header_length);
    head = GOLDEN;
    fuzz_seed(&head, 1, sample.golden, sample.golden_length);
    return 0;
}

static void read_manifest(const uint8_t *envelope, size_t length)
{
    struct sz_manifest manifest;
    uint8_t *const copy = fuzz_copy(envelope, length);
    if (sz_manifest_read(copy, length, &manifest) == SZ_OK) {
        FUZZ_CHECK(manifest.sequence != 0);
        (void)sz_manifest_verify(copy, length, fuzz_publisher.signing.public_key);
    }
    free(copy);
}

/* A slot whose header is this, with weights that nobody checked. */
static bool prepare(struct sz_slot *slot, const uint8_t *header, size_t length)
{
    if (length == 0 || !sz_buffer_allocate(&slot->header, length)) {
        return false;
    }
    memcpy(slot->header.at, header, length);
    if (sz_slot_prepare(slot) != SZ_OK) {
        return false;
    }
    memset(slot->weights.at, 0x7f, slot->weights.length);
    return true;
}

static void use_header(const uint8_t *header, size_t length)
{
    struct sz_slot slot = {0};
    /* Models of any size are allowed; only small ones are run here, for time. */
    if (prepare(&slot, header, length) && slot.arena.length <= 1 << 16 && slot.weights.length <= 1 << 16) {
        const size_t bytes = sz_input_shape_bytes(&slot.container.input);
        uint8_t *const frame = calloc(1, bytes);
        struct sz_inference results;
        FUZZ_CHECK(frame != NULL);
        const enum sz_code code = sz_slot_infer(&slot, frame, bytes, &results);
        FUZZ_CHECK(code == SZ_OK || code == SZ_BAD_FRAME);
        for (size_t i = 0; i < results.count; i++) {
            FUZZ_CHECK(sz_container_label(&slot.container, (uint32_t)i).length <= SZ_CONTAINER_MAX_NAME);
        }
        free(frame);
    }
    sz_slot_release(&slot);
}

static void use_golden(const uint8_t *golden, size_t length)
{
    struct sz_slot slot = {0};
    uint8_t *const copy = fuzz_copy(golden, length);
    FUZZ_CHECK(prepare(&slot, sample.header, sample.header_length));
    (void)sz_slot_golden_test(&slot, SZ_BYTES(copy, length));
    free(copy);
    sz_slot_release(&slot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    static uint8_t envelope[FUZZ_MESSAGE];
    if (length == 0) {
        return 0;
    }
    switch (data[0] % FORMS) {
    case ENVELOPE:
        read_manifest(data + 1, length - 1);
        break;
    case MANIFEST:
        if (length < FUZZ_MESSAGE / 2) {
            read_manifest(envelope, fuzz_envelope(envelope, data + 1, length - 1));
        }
        break;
    case HEADER:
        use_header(data + 1, length - 1);
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
