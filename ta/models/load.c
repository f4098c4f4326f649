/* Loading a model: header, weight segments in order, golden test; beside the running model, which is not
 * touched. */
#include "models/running.h"
#include "models/slot.h"
#include "sz_product.h"

#include <string.h>
#include <tee_internal_api.h>

static struct {
    bool active;
    bool install;
    bool complete; /* golden test passed: waiting to be activated */
    struct sz_manifest manifest;
    uint8_t content_key[SZ_AES_KEY_SIZE];
    uint32_t next;
    struct sz_slot slot;
} load;

static const char SEGMENT_AAD[] = "smart-zone/1/segment";

void sz_model_load_abort(void)
{
    sz_slot_release(&load.slot);
    sz_wipe(&load, sizeof load);
}

bool sz_model_loading(void)
{
    return load.active;
}

bool sz_model_loaded_is_install(void)
{
    return load.install;
}

/* More than the whole heap can never fit; less may still not, which shows when memory is asked for. */
static bool memory_possible(uint64_t needed)
{
    uint32_t heap = 0;
    return TEE_GetPropertyAsU32(TEE_PROPSET_CURRENT_TA, "gpd.ta.dataSize", &heap) != TEE_SUCCESS ||
           needed <= heap;
}

static enum sz_code check_conditions(const struct sz_manifest *manifest)
{
    if (!manifest->vendor_ok || !manifest->class_ok) {
        return SZ_MODEL_VENDOR;
    }
    if (manifest->ta_version > SZ_TA_VERSION_NUMBER) {
        return SZ_MODEL_VERSION;
    }
    if (!manifest->target_ok) {
        return SZ_MODEL_TARGET;
    }
    if (!memory_possible(manifest->memory)) {
        return SZ_MODEL_MEMORY;
    }
    if (manifest->header_size <= SZ_SEGMENT_OVERHEAD || manifest->header_size > SZ_BUFFER_IN) {
        return SZ_MODEL_PROFILE;
    }
    return SZ_OK;
}

enum sz_code sz_model_load_begin(const struct sz_manifest *manifest, const uint8_t content_key[16],
                                 bool install)
{
    const enum sz_code code = check_conditions(manifest);
    sz_model_load_abort();
    if (code != SZ_OK) {
        return code;
    }
    load.manifest = *manifest;
    memcpy(load.content_key, content_key, SZ_AES_KEY_SIZE);
    load.install = install;
    load.active = true;
    return SZ_OK;
}

/* Decrypts segment `index` to `out`; digest and tag are both checked before anything is used. */
static enum sz_code open_segment(uint32_t index, const volatile uint8_t *shared, size_t length,
                                 const uint8_t expected[SZ_SHA256_SIZE], uint8_t *out)
{
    uint8_t nonce[SZ_NONCE_SIZE] = {0}, digest[SZ_SHA256_SIZE];
    enum sz_code code;
    for (size_t i = 0; i < 4; i++) {
        nonce[SZ_NONCE_SIZE - 1 - i] = (uint8_t)(index >> 8 * i);
    }
    code =
        sz_gcm_open_shared(load.content_key, nonce, SZ_TEXT(SEGMENT_AAD), shared, length, out, digest, NULL);
    if (code == SZ_CRYPTO_FAILED) {
        return code;
    }
    if (code != SZ_OK || !sz_equal(digest, expected, sizeof digest)) {
        sz_wipe(out, length - SZ_SEGMENT_OVERHEAD);
        return SZ_MODEL_DIGEST;
    }
    return SZ_OK;
}

static enum sz_code take_header(const volatile uint8_t *shared, size_t length)
{
    struct sz_slot *const slot = &load.slot;
    enum sz_code code;
    if (length != load.manifest.header_size) {
        return SZ_MODEL_DIGEST;
    }
    if (!sz_buffer_allocate(&slot->header, length - SZ_SEGMENT_OVERHEAD)) {
        return SZ_MODEL_MEMORY;
    }
    code = open_segment(0, shared, length, load.manifest.header_digest, slot->header.at);
    return code == SZ_OK ? sz_slot_prepare(slot) : code;
}

static enum sz_code take_weights(uint32_t index, const volatile uint8_t *shared, size_t length)
{
    const struct sz_slot *const slot = &load.slot;
    uint32_t size = 0;
    size_t capacity = 0;
    const uint8_t *const digest = sz_container_segment(&slot->container, index - 1, &size);
    uint8_t *const place = sz_slot_segment(slot, index - 1, &capacity);
    if (length != size || length - SZ_SEGMENT_OVERHEAD != capacity) {
        return SZ_MODEL_DIGEST;
    }
    return open_segment(index, shared, length, digest, place);
}

static enum sz_code take_golden(uint32_t index, const volatile uint8_t *shared, size_t length)
{
    struct sz_slot *const slot = &load.slot;
    struct sz_buffer golden = {0};
    enum sz_code code;
    if (length != slot->container.golden_size) {
        return SZ_MODEL_DIGEST;
    }
    if (!sz_buffer_allocate(&golden, length - SZ_SEGMENT_OVERHEAD)) {
        return SZ_MODEL_MEMORY;
    }
    code = open_segment(index, shared, length, slot->container.golden_digest, golden.at);
    if (code == SZ_OK) {
        code = sz_slot_golden_test(slot, SZ_BYTES(golden.at, golden.length));
    }
    sz_buffer_release(&golden);
    return code;
}

enum sz_code sz_model_load_segment(uint32_t index, const volatile uint8_t *shared, size_t length,
                                   uint32_t *next, bool *loaded)
{
    enum sz_code code;
    *loaded = false;
    *next = load.next;
    if (!load.active || load.complete) {
        return SZ_MODEL_UNKNOWN;
    }
    if (index != load.next) {
        return SZ_MODEL_ORDER;
    }
    if (index == 0) {
        code = take_header(shared, length);
    } else if (index <= load.slot.container.segment_count) {
        code = take_weights(index, shared, length);
    } else {
        code = take_golden(index, shared, length);
        load.complete = code == SZ_OK;
    }
    if (code != SZ_OK) {
        sz_model_load_abort();
        *next = 0;
        return code;
    }
    load.next++;
    *next = load.complete ? UINT32_MAX : load.next;
    *loaded = load.complete;
    return SZ_OK;
}

void sz_model_loaded_commitment(struct sz_model_commitment *out)
{
    out->sequence = load.manifest.sequence;
    memcpy(out->manifest_digest, load.manifest.digest, sizeof out->manifest_digest);
    memcpy(out->content_key, load.content_key, sizeof out->content_key);
}

void sz_model_activate(void)
{
    if (load.active && load.complete) {
        sz_model_loaded_commitment(&load.slot.commitment);
        sz_running_replace(&load.slot);
        sz_wipe(&load, sizeof load); /* the buffers have moved */
    }
}
