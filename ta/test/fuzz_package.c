/* A small model and its manifest, as a publisher packs them for the device. */
#include "engine_samples.h"
#include "fuzz.h"
#include "sz_product.h"
#include "trust/cbor_read.h"
#include "trust/cose_encrypt.h"
#include "trust/roster.h"
#include "trust/signed.h"
#include "trust/state.h"

const uint8_t fuzz_content_key[SZ_AES_KEY_SIZE] = {'c', 'o', 'n', 't', 'e', 'n', 't'};

static void seal_segment(struct fuzz_model *model, uint32_t index, const uint8_t *plaintext, size_t length)
{
    const uint8_t nonce[SZ_NONCE_SIZE] = {[SZ_NONCE_SIZE - 1] = (uint8_t)index};
    uint8_t *const out = malloc(length + SZ_TAG_SIZE);
    FUZZ_CHECK(out != NULL && index < FUZZ_SEGMENTS);
    FUZZ_CHECK(sz_gcm_seal(fuzz_content_key, nonce, SZ_TEXT("smart-zone/1/segment"),
                           SZ_BYTES(plaintext, length), out, out + length) == SZ_OK);
    model->segments[index] = out;
    model->lengths[index] = length + SZ_TAG_SIZE;
}

static void put_segment(struct sz_cbor_writer *w, const struct fuzz_model *model, uint32_t index)
{
    uint8_t digest[SZ_SHA256_SIZE];
    FUZZ_CHECK(sz_sha256(SZ_BYTES(model->segments[index], model->lengths[index]), digest) == SZ_OK);
    sz_cbor_put_array(w, 2);
    sz_cbor_put_uint(w, model->lengths[index]);
    sz_cbor_put_bstr(w, digest, sizeof digest);
}

/* [input, [outputs]] of the sample, computed by the engine itself. */
static void make_golden(struct fuzz_model *model, const struct builder *b)
{
    static const uint8_t input[6 * 6 * 3] = {5, 6, 7};
    const struct sz_tensor_record *const output = &b->tensors[b->header.outputs[0]];
    struct sz_cbor_writer w = sz_cbor_writer(model->golden, sizeof model->golden);
    enum sz_engine_status status;
    uint8_t *const arena = build_run(b, input, &status);
    FUZZ_CHECK(status == SZ_ENGINE_OK && b->header.output_count == 1);
    sz_cbor_put_array(&w, 2);
    sz_cbor_put_bstr(&w, input, sizeof input);
    sz_cbor_put_array(&w, 1);
    sz_cbor_put_bstr(&w, arena + output->offset, output->bytes);
    free(arena);
    model->golden_length = sz_cbor_written(&w);
    FUZZ_CHECK(model->golden_length > 0);
}

static void make_header(struct fuzz_model *model, const struct builder *b)
{
    struct sz_cbor_writer w = sz_cbor_writer(model->header, sizeof model->header);
    size_t length;
    uint8_t *const graph = build_bytes(b, &length);
    sz_cbor_put_map(&w, 8);
    sz_cbor_put_uint(&w, 1);
    sz_cbor_put_bstr(&w, graph, length);
    free(graph);
    sz_cbor_put_uint(&w, 2);
    sz_cbor_put_array(&w, b->header.segment_count);
    for (uint32_t i = 0; i < b->header.segment_count; i++) {
        put_segment(&w, model, 1 + i);
    }
    sz_cbor_put_uint(&w, 3);
    put_segment(&w, model, FUZZ_SEGMENTS - 1);
    sz_cbor_put_uint(&w, 4);
    sz_cbor_put_array(&w, 2);
    sz_cbor_put_uint(&w, 2);
    sz_cbor_put_array(&w, 3);
    sz_cbor_put_uint(&w, 6);
    sz_cbor_put_uint(&w, 6);
    sz_cbor_put_uint(&w, 3);
    sz_cbor_put_uint(&w, 5);
    sz_cbor_put_array(&w, 2);
    sz_cbor_put_uint(&w, (uint64_t)b->header.head.kind);
    sz_cbor_put_uint(&w, b->header.head.max_results);
    sz_cbor_put_uint(&w, 6);
    sz_cbor_put_array(&w, 5);
    for (char name = 'a'; name <= 'e'; name++) {
        sz_cbor_put_tstr(&w, &name, 1);
    }
    sz_cbor_put_uint(&w, 7);
    sz_cbor_put_float(&w, 0);
    sz_cbor_put_uint(&w, 8);
    sz_cbor_put_text(&w, "sample");
    model->header_length = sz_cbor_written(&w);
    FUZZ_CHECK(model->header_length > 0);
}

void fuzz_model_make(struct fuzz_model *model)
{
    static struct builder b;
    random_state = 1;
    sample_classifier(&b);
    FUZZ_CHECK(b.header.segment_count == FUZZ_SEGMENTS - 2);
    for (uint32_t i = 0; i < b.header.segment_count; i++) {
        seal_segment(model, 1 + i, b.segments[i], b.segment_bytes[i]);
    }
    make_golden(model, &b);
    seal_segment(model, FUZZ_SEGMENTS - 1, model->golden, model->golden_length);
    make_header(model, &b);
    seal_segment(model, 0, model->header, model->header_length);
    build_free(&b);
}

void fuzz_model_free(struct fuzz_model *model)
{
    for (size_t i = 0; i < FUZZ_SEGMENTS; i++) {
        free(model->segments[i]);
    }
}

/* A byte string that holds what another writer wrote. */
static void put_inside(struct sz_cbor_writer *w, const struct sz_cbor_writer *inner)
{
    FUZZ_CHECK(sz_cbor_written(inner) > 0);
    sz_cbor_put_bstr(w, inner->at, inner->length);
}

static void put_digest(struct sz_cbor_writer *w, struct sz_bytes of)
{
    uint8_t digest[SZ_SHA256_SIZE];
    FUZZ_CHECK(sz_sha256(of, digest) == SZ_OK);
    sz_cbor_put_array(w, 2);
    sz_cbor_put_int(w, -16);
    sz_cbor_put_bstr(w, digest, sizeof digest);
}

static void put_parameters(struct sz_cbor_writer *w, const struct fuzz_model *model)
{
    static const uint8_t vendor[] = SZ_VENDOR_ID, class[] = SZ_CLASS_ID;
    uint8_t bytes[64];
    struct sz_cbor_writer digest = sz_cbor_writer(bytes, sizeof bytes);
    put_digest(&digest, SZ_BYTES(model->segments[0], model->lengths[0]));
    sz_cbor_put_map(w, 7);
    sz_cbor_put_int(w, 1);
    sz_cbor_put_bstr(w, vendor, sizeof vendor);
    sz_cbor_put_int(w, 2);
    sz_cbor_put_bstr(w, class, sizeof class);
    sz_cbor_put_int(w, 3);
    put_inside(w, &digest);
    sz_cbor_put_int(w, 14);
    sz_cbor_put_uint(w, model->lengths[0]);
    sz_cbor_put_int(w, -1);
    sz_cbor_put_uint(w, SZ_TA_VERSION_NUMBER);
    sz_cbor_put_int(w, -2);
    sz_cbor_put_uint(w, 100000);
    sz_cbor_put_int(w, -3);
    sz_cbor_put_text(w, "ref");
}

size_t fuzz_manifest(uint8_t *out, const struct fuzz_model *model, uint64_t sequence)
{
    uint8_t shared[512], common_bytes[512], validate_bytes[8];
    struct sz_cbor_writer w = sz_cbor_writer(out, FUZZ_MESSAGE);
    struct sz_cbor_writer conditions = sz_cbor_writer(shared, sizeof shared);
    struct sz_cbor_writer common = sz_cbor_writer(common_bytes, sizeof common_bytes);
    struct sz_cbor_writer validate = sz_cbor_writer(validate_bytes, sizeof validate_bytes);
    sz_cbor_put_array(&conditions, 12);
    sz_cbor_put_int(&conditions, 20);
    put_parameters(&conditions, model);
    for (int64_t condition = 1; condition <= 2; condition++) {
        sz_cbor_put_int(&conditions, condition);
        sz_cbor_put_int(&conditions, 15);
    }
    for (int64_t custom = -1; custom >= -3; custom--) {
        sz_cbor_put_int(&conditions, custom);
        sz_cbor_put_null(&conditions);
    }
    sz_cbor_put_map(&common, 2);
    sz_cbor_put_int(&common, 2);
    sz_cbor_put_array(&common, 1);
    sz_cbor_put_array(&common, 1);
    sz_cbor_put_bstr(&common, "model", 5);
    sz_cbor_put_int(&common, 4);
    put_inside(&common, &conditions);
    sz_cbor_put_array(&validate, 2);
    sz_cbor_put_int(&validate, 3);
    sz_cbor_put_int(&validate, 15);
    sz_cbor_put_map(&w, 4);
    sz_cbor_put_int(&w, 1);
    sz_cbor_put_int(&w, 1);
    sz_cbor_put_int(&w, 2);
    sz_cbor_put_uint(&w, sequence);
    sz_cbor_put_int(&w, 3);
    put_inside(&w, &common);
    sz_cbor_put_int(&w, 7);
    put_inside(&w, &validate);
    return sz_cbor_written(&w);
}

/* 18([<< {1: -8, 4: kid} >>, {}, nil, signature over payload]) */
static void put_detached(struct sz_cbor_writer *w, struct sz_bytes payload)
{
    uint8_t message[256];
    struct sz_sign1 read;
    size_t length = 0;
    FUZZ_CHECK(sz_sign1_sign(&fuzz_publisher.signing, payload, SZ_BYTES(NULL, 0), message, sizeof message,
                             &length) == SZ_OK);
    FUZZ_CHECK(sz_sign1_read(SZ_BYTES(message, length), &read) == SZ_OK);
    sz_cbor_put_tag(w, 18);
    sz_cbor_put_array(w, 4);
    sz_cbor_put_bstr(w, read.protected_header.at, read.protected_header.length);
    sz_cbor_put_map(w, 0);
    sz_cbor_put_null(w);
    sz_cbor_put_bstr(w, read.signature, SZ_SIGNATURE_SIZE);
}

size_t fuzz_envelope(uint8_t *out, const uint8_t *manifest, size_t length)
{
    static uint8_t encoded[FUZZ_MESSAGE];
    uint8_t digest_bytes[64], block_bytes[192], wrapper_bytes[320];
    struct sz_cbor_writer w = sz_cbor_writer(out, FUZZ_MESSAGE);
    struct sz_cbor_writer inner = sz_cbor_writer(encoded, sizeof encoded);
    struct sz_cbor_writer digest = sz_cbor_writer(digest_bytes, sizeof digest_bytes);
    struct sz_cbor_writer block = sz_cbor_writer(block_bytes, sizeof block_bytes);
    struct sz_cbor_writer wrapper = sz_cbor_writer(wrapper_bytes, sizeof wrapper_bytes);
    sz_cbor_put_bstr(&inner, manifest, length);
    put_digest(&digest, SZ_BYTES(encoded, sz_cbor_written(&inner)));
    put_detached(&block, SZ_BYTES(digest_bytes, sz_cbor_written(&digest)));
    sz_cbor_put_array(&wrapper, 2);
    put_inside(&wrapper, &digest);
    put_inside(&wrapper, &block);
    sz_cbor_put_tag(&w, 107);
    sz_cbor_put_map(&w, 2);
    sz_cbor_put_int(&w, 2);
    put_inside(&w, &wrapper);
    sz_cbor_put_int(&w, 3);
    sz_cbor_put_bstr(&w, manifest, length);
    return sz_cbor_written(&w);
}

static void read_sample(struct sz_manifest *out, uint8_t *envelope, size_t *length,
                        const struct fuzz_model *model, uint64_t sequence)
{
    static uint8_t manifest[FUZZ_MESSAGE];
    *length = fuzz_envelope(envelope, manifest, fuzz_manifest(manifest, model, sequence));
    FUZZ_CHECK(sz_manifest_read(envelope, *length, out) == SZ_OK);
}

static size_t offer_payload(uint8_t *out, const struct sz_manifest *manifest)
{
    uint8_t sealed[512], aad[64], context[128];
    struct sz_cbor_writer w = sz_cbor_writer(out, FUZZ_PAYLOAD);
    const struct sz_bytes digest = SZ_BYTES(manifest->digest, SZ_SHA256_SIZE);
    size_t length = 0;
    FUZZ_CHECK(sz_encrypt_seal(sz_state()->agreement.public_key,
                               sz_hpke_context("model-offer", fuzz_publisher.signing.kid,
                                               sz_state()->signing.kid, digest, context),
                               sz_purpose_aad("model-offer", aad),
                               SZ_BYTES(fuzz_content_key, SZ_AES_KEY_SIZE), sealed, sizeof sealed,
                               &length) == SZ_OK);
    sz_cbor_put_map(&w, 4);
    sz_cbor_put_int(&w, 1);
    sz_cbor_put_bstr(&w, digest.at, digest.length);
    sz_cbor_put_int(&w, 2);
    sz_cbor_put_bstr(&w, sealed, length);
    sz_cbor_put_int(&w, 3);
    sz_cbor_put_uint(&w, sz_roster_version());
    sz_cbor_put_int(&w, 4);
    sz_cbor_put_uint(&w, sz_state()->model_floor);
    return sz_cbor_written(&w);
}

size_t fuzz_model_offer(uint8_t *out, const struct fuzz_model *model, uint64_t sequence)
{
    static uint8_t envelope[FUZZ_MESSAGE];
    struct sz_manifest manifest;
    size_t length;
    read_sample(&manifest, envelope, &length, model, sequence);
    return offer_payload(out, &manifest);
}

size_t fuzz_model_begin_with(uint8_t *out, const struct fuzz_model *model, uint64_t sequence,
                             const uint8_t *payload, size_t length)
{
    static uint8_t envelope[FUZZ_MESSAGE], offer[FUZZ_MESSAGE];
    struct sz_cbor_writer w = sz_cbor_writer(out, 2 * FUZZ_MESSAGE);
    struct sz_manifest manifest;
    size_t size;
    read_sample(&manifest, envelope, &size, model, sequence);
    sz_cbor_put_array(&w, 2);
    sz_cbor_put_bstr(&w, envelope, size);
    if (payload == NULL) {
        sz_cbor_put_null(&w);
    } else {
        sz_cbor_put_bstr(&w, offer, fuzz_signed(offer, &fuzz_publisher, "model-offer", payload, length));
    }
    return sz_cbor_written(&w);
}

size_t fuzz_model_begin(uint8_t *out, const struct fuzz_model *model, uint64_t sequence)
{
    static uint8_t payload[FUZZ_PAYLOAD];
    return fuzz_model_begin_with(out, model, sequence, payload, fuzz_model_offer(payload, model, sequence));
}

size_t fuzz_model_begin_committed(uint8_t *out, const struct fuzz_model *model, uint64_t sequence)
{
    return fuzz_model_begin_with(out, model, sequence, NULL, 0);
}

size_t fuzz_header_with(uint8_t *out, const struct fuzz_model *model, const uint8_t *graph, size_t length)
{
    struct sz_cbor_reader r = sz_cbor_reader(SZ_BYTES(model->header, model->header_length));
    struct sz_cbor_writer w = sz_cbor_writer(out, FUZZ_MESSAGE);
    const size_t pairs = sz_cbor_map(&r);
    sz_cbor_key(&r, 1);
    (void)sz_cbor_bstr(&r);
    FUZZ_CHECK(sz_cbor_error(&r) == SZ_OK);
    sz_cbor_put_map(&w, pairs);
    sz_cbor_put_int(&w, 1);
    sz_cbor_put_bstr(&w, graph, length);
    sz_cbor_put_raw(&w, model->header + sz_cbor_offset(&r), model->header_length - sz_cbor_offset(&r));
    return sz_cbor_written(&w);
}
