/* Loading a model: header, weight segments in order, golden test, whose inference may want weight segments
 * again; beside the running model, which goes on running. */
#include "models/infer.h"
#include "models/running.h"
#include "models/stream.h"
#include "sz_product.h"

#include <string.h>
#include <tee_internal_api.h>

static struct {
    bool active;
    bool install;
    bool complete; /* golden test passed: waiting to be activated */
    struct sz_manifest manifest;
    uint32_t next;
    struct sz_slot slot;
    struct sz_buffer expected; /* the golden test's outputs, while it runs */
} load;

static struct sz_shortage shortage;

void sz_model_load_abort(void)
{
    sz_slot_release(&load.slot);
    sz_buffer_release(&load.expected);
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
    if (TEE_GetPropertyAsU32(TEE_PROPSET_CURRENT_TA, "gpd.ta.dataSize", &heap) != TEE_SUCCESS ||
        needed <= heap) {
        return true;
    }
    shortage = (struct sz_shortage){(size_t)needed, heap, 0};
    return false;
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
    load.slot.commitment.sequence = manifest->sequence;
    memcpy(load.slot.commitment.manifest_digest, manifest->digest,
           sizeof load.slot.commitment.manifest_digest);
    memcpy(load.slot.commitment.content_key, content_key, SZ_AES_KEY_SIZE);
    load.install = install;
    load.active = true;
    return SZ_OK;
}

/* Beside the running model there is no room, even for a window: that one goes, and the header is wanted
 * again. */
static enum sz_code make_room(void)
{
    const struct sz_model_commitment commitment = load.slot.commitment;
    sz_slot_release(&load.slot);
    load.slot.commitment = commitment;
    sz_running_release();
    load.next = 0;
    return SZ_OK;
}

static enum sz_code open_header(const volatile uint8_t *shared, size_t length)
{
    struct sz_slot *const slot = &load.slot;
    enum sz_code code;
    if (length != load.manifest.header_size) {
        return SZ_MODEL_DIGEST;
    }
    shortage.needed = (size_t)load.manifest.memory;
    if (!sz_buffer_obtain(&slot->header, length - SZ_SEGMENT_OVERHEAD + 8)) {
        return SZ_MODEL_MEMORY;
    }
    code = sz_segment_open(slot->commitment.content_key, 0, shared, length, load.manifest.header_digest,
                           slot->header.at);
    return code == SZ_OK ? sz_slot_prepare(slot, &shortage) : code;
}

static enum sz_code take_header(const volatile uint8_t *shared, size_t length)
{
    const enum sz_code code = open_header(shared, length);
    return code == SZ_MODEL_MEMORY && load.install && sz_model_active() ? make_room() : code;
}

/* Every segment is verified when the model is loaded, whether it stays or not. */
static enum sz_code take_weights(uint32_t index, const volatile uint8_t *shared, size_t length)
{
    const struct sz_slot *const slot = &load.slot;
    const uint32_t segment = index - 1;
    uint32_t size = 0;
    const uint8_t *const digest = sz_container_segment(&slot->container, segment, &size);
    if (length != size) {
        return SZ_MODEL_DIGEST;
    }
    return sz_segment_open(slot->commitment.content_key, index, shared, length, digest,
                           sz_slot_is_resident(slot, segment) ? sz_slot_residents(slot)[segment].at
                                                              : slot->window.at);
}

/* The golden test's inference, as far as it goes. */
static enum sz_code advance_golden(void)
{
    struct sz_slot *const slot = &load.slot;
    enum sz_code code = sz_slot_advance(slot);
    if (code == SZ_SEGMENTS_WANTED) {
        load.next = sz_stream_wanted(slot) + 1;
        return SZ_OK;
    }
    if (code == SZ_OK) {
        code = sz_golden_compare(slot, &load.expected);
    }
    sz_slot_end_inference(slot);
    sz_buffer_release(&load.expected);
    load.complete = code == SZ_OK;
    return code;
}

static enum sz_code take_golden(uint32_t index, const volatile uint8_t *shared, size_t length)
{
    struct sz_slot *const slot = &load.slot;
    enum sz_code code;
    if (length != slot->container.golden_size) {
        return SZ_MODEL_DIGEST;
    }
    code = sz_segment_open(slot->commitment.content_key, index, shared, length, slot->container.golden_digest,
                           sz_slot_plaintext(slot));
    if (code == SZ_OK) {
        code = sz_golden_begin(slot, length - SZ_SEGMENT_OVERHEAD, &load.expected);
    }
    return code == SZ_OK ? advance_golden() : code;
}

static enum sz_code take(uint32_t index, const volatile uint8_t *shared, size_t length)
{
    struct sz_slot *const slot = &load.slot;
    enum sz_code code;
    if (slot->inferring) {
        code = sz_stream_take(slot, index - 1, shared, length);
        return code == SZ_OK ? advance_golden() : code;
    }
    load.next++;
    if (index == 0) {
        return take_header(shared, length);
    }
    return index <= slot->container.segment_count ? take_weights(index, shared, length)
                                                  : take_golden(index, shared, length);
}

enum sz_code sz_model_load_segment(uint32_t index, const volatile uint8_t *shared, size_t length,
                                   uint32_t *next, bool *loaded)
{
    enum sz_code code;
    *loaded = false;
    *next = load.next;
    if (!load.active) {
        code = sz_running_grow(index, shared, length);
        *next = code == SZ_OK ? sz_running_grow_wanted() : UINT32_MAX;
        return code;
    }
    if (load.complete) {
        return SZ_MODEL_UNKNOWN;
    }
    if (index != load.next) {
        return SZ_MODEL_ORDER;
    }
    code = take(index, shared, length);
    if (code != SZ_OK) {
        sz_model_load_abort();
        if (code == SZ_MODEL_MEMORY) {
            shortage.available = sz_buffer_largest();
        }
        *next = 0;
        return code;
    }
    *next = load.complete ? UINT32_MAX : load.next;
    *loaded = load.complete;
    return SZ_OK;
}

void sz_model_loaded_commitment(struct sz_model_commitment *out)
{
    *out = load.slot.commitment;
}

uint32_t sz_model_activate(void)
{
    if (load.active && load.complete) {
        sz_running_replace(&load.slot);
        sz_wipe(&load, sizeof load); /* the buffers have moved */
    }
    return sz_running_grow_wanted();
}

void sz_model_shortage(uint32_t *needed, uint32_t *available, uint32_t *arena)
{
    *needed = shortage.needed > UINT32_MAX ? UINT32_MAX : (uint32_t)shortage.needed;
    *available = (uint32_t)shortage.available;
    *arena = (uint32_t)shortage.arena;
}
