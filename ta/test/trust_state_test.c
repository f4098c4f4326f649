/* What a TA finds in its storage: objects that older TAs wrote, and objects that no TA wrote. */
#include "fuzz.h"
#include "soft_tee.h"
#include "trust/roster.h"
#include "trust/state.h"

#include <string.h>

static const char id[] = "smart-zone/state";
static uint8_t object[64 * 1024];
static size_t object_length;

static void read_stored(void)
{
    TEE_ObjectHandle handle;
    FUZZ_CHECK(TEE_OpenPersistentObject(TEE_STORAGE_PRIVATE, id, sizeof id - 1, TEE_DATA_FLAG_ACCESS_READ,
                                        &handle) == TEE_SUCCESS);
    FUZZ_CHECK(TEE_ReadObjectData(handle, object, sizeof object, &object_length) == TEE_SUCCESS);
    TEE_CloseObject(handle);
}

/* A TA that finds this. */
static TEE_Result start_with(const uint8_t *bytes, size_t length)
{
    const uint32_t flags = TEE_DATA_FLAG_ACCESS_READ | TEE_DATA_FLAG_ACCESS_WRITE |
                           TEE_DATA_FLAG_ACCESS_WRITE_META | TEE_DATA_FLAG_OVERWRITE;
    TEE_ObjectHandle handle;
    TEE_Result result;
    fuzz_tee_start();
    FUZZ_CHECK(TEE_CreatePersistentObject(TEE_STORAGE_PRIVATE, id, sizeof id - 1, flags, TEE_HANDLE_NULL,
                                          bytes, length, &handle) == TEE_SUCCESS);
    TEE_CloseObject(handle);
    result = TA_CreateEntryPoint();
    return result;
}

static void must_be_corrupt(const char *what, const uint8_t *bytes, size_t length)
{
    fuzz_now = what;
    FUZZ_CHECK(start_with(bytes, length) == TEE_ERROR_CORRUPT_OBJECT);
    TA_DestroyEntryPoint();
}

/* The first `items` of the object, as a TA of this version wrote them. */
static size_t as_version(uint8_t version, uint8_t items, uint8_t *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(SZ_BYTES(object, object_length));
    FUZZ_CHECK(sz_cbor_array(&r) > items && sz_cbor_uint(&r) > version);
    for (uint8_t i = 1; i < items; i++) {
        (void)sz_cbor_skip(&r);
    }
    FUZZ_CHECK(sz_cbor_ok(&r));
    memcpy(out, object, sz_cbor_offset(&r));
    out[0] = (uint8_t)(0x80 | items);
    out[1] = version;
    return sz_cbor_offset(&r);
}

/* Everything that the older form had is there, and the rest is as it was before there was such a thing. */
static void read_older(uint8_t version, uint8_t items)
{
    static uint8_t older[sizeof object];
    struct sz_state before;
    const size_t length = as_version(version, items, older);
    memcpy(&before, sz_state(), sizeof before);
    fuzz_now = version == 1 ? "version 1" : "version 2";
    FUZZ_CHECK(start_with(older, length) == TEE_SUCCESS);
    FUZZ_CHECK(memcmp(&sz_state()->signing, &before.signing, sizeof before.signing) == 0);
    FUZZ_CHECK(memcmp(&sz_state()->agreement, &before.agreement, sizeof before.agreement) == 0);
    FUZZ_CHECK(sz_state()->owners.count == 1 && sz_state()->owners.generation == 1);
    FUZZ_CHECK(memcmp(sz_state()->owners.keys[0], before.owners.keys[0], SZ_KEY_SIZE) == 0);
    FUZZ_CHECK(sz_state()->owner_counter == before.owner_counter);
    FUZZ_CHECK(memcmp(&sz_state()->model, &before.model, sizeof before.model) == 0);
    FUZZ_CHECK(sz_state()->model_floor == before.model_floor && sz_roster_version() == 1);
    FUZZ_CHECK(sz_state()->previous.sequence == (version == 1 ? 0 : before.previous.sequence));
    FUZZ_CHECK(!sz_state()->has_next && !sz_state()->has_former);
    FUZZ_CHECK(fuzz_ping().code == SZ_OK);
    TA_DestroyEntryPoint();
}

/* Every length but the right one, and every first byte of the head. */
static void damage(void)
{
    static uint8_t damaged[sizeof object];
    for (size_t length = 1; length < object_length; length += length < 64 ? 1 : 37) {
        must_be_corrupt("shorter", object, length);
    }
    memcpy(damaged, object, object_length);
    for (unsigned head = 0; head < 256; head++) {
        damaged[0] = (uint8_t)head;
        if (damaged[0] != object[0]) {
            must_be_corrupt("another head", damaged, object_length);
        }
    }
    damaged[0] = object[0];
    damaged[object_length] = 0;
    must_be_corrupt("longer", damaged, object_length + 1);
    must_be_corrupt("much longer", damaged, sizeof damaged);
    for (uint8_t version = 0; version < 24; version++) {
        damaged[1] = version;
        if (version != object[1]) {
            must_be_corrupt("another version's form", damaged, object_length);
        }
    }
}

/* A stored roster that is none, and more owners than there may be. */
static void contradict(void)
{
    struct sz_cbor_reader r = sz_cbor_reader(SZ_BYTES(object, object_length));
    static uint8_t changed[sizeof object];
    size_t at, owner;
    memcpy(changed, object, object_length);
    (void)sz_cbor_array(&r);
    for (int i = 0; i < 5; i++) { /* version and keys */
        (void)sz_cbor_skip(&r);
    }
    at = sz_cbor_offset(&r);
    FUZZ_CHECK(sz_cbor_array(&r) == 1);
    (void)sz_cbor_skip(&r);
    owner = sz_cbor_offset(&r) - at - 1;
    for (int i = 0; i < 7; i++) { /* counter, time, model, floors */
        (void)sz_cbor_skip(&r);
    }
    (void)sz_cbor_bstr(&r);
    FUZZ_CHECK(sz_cbor_ok(&r));
    changed[sz_cbor_offset(&r) - sz_state()->roster.length] ^= 1;
    must_be_corrupt("a roster that is none", changed, object_length);
    memcpy(changed, object, object_length);
    changed[at] = 0x84;
    for (size_t i = 0; i < 4; i++) {
        memcpy(changed + at + 1 + i * owner, object + at + 1, owner);
    }
    memcpy(changed + at + 1 + 4 * owner, object + at + 1 + owner, object_length - at - 1 - owner);
    must_be_corrupt("four owners", changed, object_length + 3 * owner);
}

int main(void)
{
    fuzz_ta_start();
    fuzz_parties_make();
    fuzz_sample_remake();
    fuzz_device_make(FUZZ_TRIAL);
    read_stored();
    read_older(2, 19);
    fuzz_device_make(FUZZ_TRIAL);
    read_older(1, 14);
    fuzz_device_make(FUZZ_TRIAL);
    contradict();
    damage();
    fuzz_model_free(&fuzz_sample);
    printf("what is stored: ok\n");
    return 0;
}
