#include "trust/state.h"
#include "trust/cbor_read.h"
#include "trust/cbor_write.h"
#include "trust/memory.h"

#include <string.h>
#include <tee_internal_api.h>

enum {
    STATE_VERSION = 3,
    STATE_ITEMS = 23,
    NO_SUCCESSION_VERSION = 2, /* owners and device keys were for ever */
    NO_SUCCESSION_ITEMS = 19,
    FIRST_VERSION = 1, /* kept no previous model */
    FIRST_VERSION_ITEMS = 14,
    NEXT_ITEMS = 4,
    FORMER_ITEMS = 3,
    FIXED_SIZE = 1024,
};

static const char OBJECT_ID[] = "smart-zone/state";
static struct sz_state state;

const struct sz_state *sz_state(void)
{
    return &state;
}

enum sz_code sz_state_new_identity(struct sz_state *next)
{
    const enum sz_code code = sz_signing_key_generate(&next->signing);
    return code == SZ_OK ? sz_agreement_key_generate(&next->agreement) : code;
}

enum sz_code sz_state_make_next_keys(struct sz_state *next)
{
    enum sz_code code = SZ_OK;
    if (!next->has_next) {
        code = sz_signing_key_generate(&next->next_signing);
        if (code == SZ_OK) {
            code = sz_agreement_key_generate(&next->next_agreement);
        }
        next->has_next = code == SZ_OK;
    }
    return code;
}

void sz_state_use_next_keys(struct sz_state *next)
{
    memcpy(next->former_signing, next->signing.public_key, SZ_KEY_SIZE);
    memcpy(next->former_kid, next->signing.kid, SZ_KID_SIZE);
    next->former_agreement = next->agreement;
    next->has_former = true;
    next->signing = next->next_signing;
    next->agreement = next->next_agreement;
    sz_state_forget_next_keys(next);
}

void sz_state_forget_next_keys(struct sz_state *next)
{
    sz_wipe(&next->next_signing, sizeof next->next_signing);
    sz_wipe(&next->next_agreement, sizeof next->next_agreement);
    next->has_next = false;
}

void sz_state_forget_former_keys(struct sz_state *next)
{
    sz_wipe(&next->former_agreement, sizeof next->former_agreement);
    next->has_former = false;
}

static void put_key(struct sz_cbor_writer *w, const uint8_t key[SZ_KEY_SIZE])
{
    sz_cbor_put_bstr(w, key, SZ_KEY_SIZE);
}

static void put_rotation(struct sz_cbor_writer *w, const struct sz_state *s)
{
    sz_cbor_put_array(w, s->has_next ? NEXT_ITEMS : 0);
    if (s->has_next) {
        put_key(w, s->next_signing.seed);
        put_key(w, s->next_signing.public_key);
        put_key(w, s->next_agreement.private_key);
        put_key(w, s->next_agreement.public_key);
    }
    sz_cbor_put_array(w, s->has_former ? FORMER_ITEMS : 0);
    if (s->has_former) {
        put_key(w, s->former_signing);
        put_key(w, s->former_agreement.private_key);
        put_key(w, s->former_agreement.public_key);
    }
}

static void put_commitment(struct sz_cbor_writer *w, const struct sz_model_commitment *model)
{
    sz_cbor_put_uint(w, model->sequence);
    sz_cbor_put_bstr(w, model->manifest_digest, sizeof model->manifest_digest);
    sz_cbor_put_bstr(w, model->content_key, sizeof model->content_key);
}

static size_t encode(const struct sz_state *s, uint8_t *out, size_t capacity)
{
    struct sz_cbor_writer w = sz_cbor_writer(out, capacity);
    sz_cbor_put_array(&w, STATE_ITEMS);
    sz_cbor_put_uint(&w, STATE_VERSION);
    put_key(&w, s->signing.seed);
    put_key(&w, s->signing.public_key);
    put_key(&w, s->agreement.private_key);
    put_key(&w, s->agreement.public_key);
    sz_cbor_put_array(&w, s->owners.count);
    for (uint32_t i = 0; i < s->owners.count; i++) {
        put_key(&w, s->owners.keys[i]);
    }
    sz_cbor_put_uint(&w, s->owner_counter);
    sz_cbor_put_uint(&w, s->owner_time);
    put_commitment(&w, &s->model);
    sz_cbor_put_uint(&w, s->model_floor);
    sz_cbor_put_uint(&w, s->roster_floor);
    sz_cbor_put_bstr(&w, s->roster.at, s->roster.length);
    put_commitment(&w, &s->previous);
    sz_cbor_put_uint(&w, s->trial_attempts);
    sz_cbor_put_uint(&w, s->trial_labels);
    sz_cbor_put_uint(&w, s->owners.generation);
    sz_cbor_put_bstr(&w, s->statement, sizeof s->statement);
    put_rotation(&w, s);
    return sz_cbor_written(&w);
}

static void read_into(struct sz_cbor_reader *r, uint8_t *out, size_t length)
{
    const uint8_t *const bytes = sz_cbor_bstr_of(r, length);
    if (bytes != NULL) {
        memcpy(out, bytes, length);
    }
}

static void read_commitment(struct sz_cbor_reader *r, struct sz_model_commitment *model)
{
    model->sequence = sz_cbor_uint(r);
    read_into(r, model->manifest_digest, sizeof model->manifest_digest);
    read_into(r, model->content_key, sizeof model->content_key);
}

static void read_rotation(struct sz_cbor_reader *r, struct sz_state *s)
{
    size_t items = sz_cbor_array(r);
    s->has_next = items == NEXT_ITEMS;
    if (s->has_next) {
        read_into(r, s->next_signing.seed, SZ_KEY_SIZE);
        read_into(r, s->next_signing.public_key, SZ_KEY_SIZE);
        read_into(r, s->next_agreement.private_key, SZ_KEY_SIZE);
        read_into(r, s->next_agreement.public_key, SZ_KEY_SIZE);
        sz_cbor_fail(r, sz_kid(SZ_CURVE_ED25519, s->next_signing.public_key, s->next_signing.kid));
        sz_cbor_fail(r, sz_kid(SZ_CURVE_X25519, s->next_agreement.public_key, s->next_agreement.kid));
    }
    items = sz_cbor_array(r);
    s->has_former = items == FORMER_ITEMS;
    if (s->has_former) {
        read_into(r, s->former_signing, SZ_KEY_SIZE);
        read_into(r, s->former_agreement.private_key, SZ_KEY_SIZE);
        read_into(r, s->former_agreement.public_key, SZ_KEY_SIZE);
        sz_cbor_fail(r, sz_kid(SZ_CURVE_ED25519, s->former_signing, s->former_kid));
        sz_cbor_fail(r, sz_kid(SZ_CURVE_X25519, s->former_agreement.public_key, s->former_agreement.kid));
    }
}

static bool known_form(uint64_t version, size_t items)
{
    return (version == STATE_VERSION && items == STATE_ITEMS) ||
           (version == NO_SUCCESSION_VERSION && items == NO_SUCCESSION_ITEMS) ||
           (version == FIRST_VERSION && items == FIRST_VERSION_ITEMS);
}

static enum sz_code decode(struct sz_bytes bytes, struct sz_state *s)
{
    struct sz_cbor_reader r = sz_cbor_reader(bytes);
    struct sz_bytes roster;
    size_t owners, items;
    uint64_t version;
    memset(s, 0, sizeof *s);
    items = sz_cbor_array(&r);
    version = sz_cbor_uint(&r);
    if (!known_form(version, items)) {
        return SZ_STORAGE_FAILED;
    }
    read_into(&r, s->signing.seed, SZ_KEY_SIZE);
    read_into(&r, s->signing.public_key, SZ_KEY_SIZE);
    read_into(&r, s->agreement.private_key, SZ_KEY_SIZE);
    read_into(&r, s->agreement.public_key, SZ_KEY_SIZE);
    owners = sz_cbor_array(&r);
    if (owners > SZ_MAX_OWNERS) {
        return SZ_STORAGE_FAILED;
    }
    s->owners.count = (uint32_t)owners;
    s->owners.generation = owners > 0 ? 1 : 0; /* before there were successions */
    for (size_t i = 0; i < owners; i++) {
        read_into(&r, s->owners.keys[i], SZ_KEY_SIZE);
    }
    s->owner_counter = sz_cbor_uint(&r);
    s->owner_time = sz_cbor_uint(&r);
    read_commitment(&r, &s->model);
    s->model_floor = sz_cbor_uint(&r);
    s->roster_floor = sz_cbor_uint(&r);
    roster = sz_cbor_bstr(&r);
    if (version > FIRST_VERSION) {
        read_commitment(&r, &s->previous);
        s->trial_attempts = (uint32_t)sz_cbor_uint(&r);
        s->trial_labels = (uint32_t)sz_cbor_uint(&r);
    }
    if (version > NO_SUCCESSION_VERSION) {
        s->owners.generation = sz_cbor_uint(&r);
        read_into(&r, s->statement, sizeof s->statement);
        read_rotation(&r, s);
    }
    if (sz_cbor_done(&r) != SZ_OK || roster.length > SZ_ROSTER_MAX ||
        sz_kid(SZ_CURVE_ED25519, s->signing.public_key, s->signing.kid) != SZ_OK ||
        sz_kid(SZ_CURVE_X25519, s->agreement.public_key, s->agreement.kid) != SZ_OK) {
        return SZ_STORAGE_FAILED;
    }
    if (roster.length > 0) {
        uint8_t *const copy = TEE_Malloc(roster.length, TEE_MALLOC_FILL_ZERO);
        if (copy == NULL) {
            return SZ_OUT_OF_MEMORY;
        }
        memcpy(copy, roster.at, roster.length);
        s->roster = SZ_BYTES(copy, roster.length);
    }
    return SZ_OK;
}

static void adopt(const struct sz_state *next)
{
    if (state.roster.at != next->roster.at) {
        TEE_Free((void *)(uintptr_t)state.roster.at);
    }
    if (memcmp(state.signing.public_key, next->signing.public_key, SZ_KEY_SIZE) != 0) {
        sz_ed25519_forget();
    }
    state = *next;
}

enum sz_code sz_state_commit(const struct sz_state *next)
{
    const size_t capacity = FIXED_SIZE + next->roster.length;
    uint8_t *const bytes = sz_memory_take(capacity);
    TEE_ObjectHandle object = TEE_HANDLE_NULL;
    enum sz_code code = SZ_OUT_OF_MEMORY;
    if (bytes != NULL) {
        const size_t length = encode(next, bytes, capacity);
        const uint32_t flags = TEE_DATA_FLAG_ACCESS_READ | TEE_DATA_FLAG_ACCESS_WRITE |
                               TEE_DATA_FLAG_ACCESS_WRITE_META | TEE_DATA_FLAG_OVERWRITE;
        code = length > 0 &&
                       TEE_CreatePersistentObject(TEE_STORAGE_PRIVATE, OBJECT_ID, sizeof OBJECT_ID - 1, flags,
                                                  TEE_HANDLE_NULL, bytes, length, &object) == TEE_SUCCESS
                   ? SZ_OK
                   : SZ_STORAGE_FAILED;
        if (code == SZ_OK) {
            TEE_CloseObject(object);
        }
        sz_wipe(bytes, capacity);
        TEE_Free(bytes);
    }
    if (code == SZ_OK) {
        adopt(next);
    } else if (next->roster.at != state.roster.at) {
        TEE_Free((void *)(uintptr_t)next->roster.at);
    }
    return code;
}

static TEE_Result as_result(enum sz_code code)
{
    switch (code) {
    case SZ_OK:
        return TEE_SUCCESS;
    case SZ_OUT_OF_MEMORY:
        return TEE_ERROR_OUT_OF_MEMORY;
    case SZ_STORAGE_FAILED:
        return TEE_ERROR_STORAGE_NOT_AVAILABLE;
    default:
        return TEE_ERROR_GENERIC;
    }
}

/* Reads the whole object into a fresh allocation. */
static TEE_Result read_object(TEE_ObjectHandle object)
{
    TEE_ObjectInfo info;
    struct sz_state loaded;
    size_t count = 0;
    uint8_t *bytes;
    TEE_Result result = TEE_GetObjectInfo1(object, &info);
    if (result != TEE_SUCCESS) {
        return result;
    }
    if (info.dataSize == 0 || info.dataSize > FIXED_SIZE + SZ_ROSTER_MAX) {
        return TEE_ERROR_CORRUPT_OBJECT;
    }
    bytes = TEE_Malloc(info.dataSize, TEE_MALLOC_FILL_ZERO);
    if (bytes == NULL) {
        return TEE_ERROR_OUT_OF_MEMORY;
    }
    result = TEE_ReadObjectData(object, bytes, info.dataSize, &count);
    if (result == TEE_SUCCESS) {
        const enum sz_code code =
            count == info.dataSize ? decode(SZ_BYTES(bytes, count), &loaded) : SZ_STORAGE_FAILED;
        if (code == SZ_OK) {
            adopt(&loaded);
        }
        result = code == SZ_STORAGE_FAILED ? TEE_ERROR_CORRUPT_OBJECT : as_result(code);
    }
    sz_wipe(bytes, info.dataSize);
    TEE_Free(bytes);
    sz_wipe(&loaded, sizeof loaded);
    return result;
}

static enum sz_code store_new_identity(void)
{
    struct sz_state fresh = {0};
    enum sz_code code = sz_state_new_identity(&fresh);
    if (code == SZ_OK) {
        code = sz_state_commit(&fresh);
    }
    sz_wipe(&fresh, sizeof fresh);
    return code;
}

TEE_Result sz_state_load(void)
{
    TEE_ObjectHandle object = TEE_HANDLE_NULL;
    TEE_Result result = TEE_OpenPersistentObject(TEE_STORAGE_PRIVATE, OBJECT_ID, sizeof OBJECT_ID - 1,
                                                 TEE_DATA_FLAG_ACCESS_READ, &object);
    if (result == TEE_ERROR_ITEM_NOT_FOUND) {
        return as_result(store_new_identity());
    }
    if (result == TEE_SUCCESS) {
        result = read_object(object);
        TEE_CloseObject(object);
    }
    return result;
}

void sz_state_release(void)
{
    TEE_Free((void *)(uintptr_t)state.roster.at);
    sz_wipe(&state, sizeof state);
}
