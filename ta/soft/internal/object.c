/* Handles of objects: allocating, freeing, describing, copying. */
#include "object.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/* What OP-TEE's core allocates for an object besides the key: struct tee_obj, the attribute structure and the
 * allocator's headers, rounded up from 4.x on 64-bit. */
#define CORE_OBJECT_SIZE 192u

static TEE_ObjectHandle objects;

TEE_ObjectHandle sz_object_add(uint32_t type, uint32_t max_bits, size_t capacity)
{
    size_t charged = CORE_OBJECT_SIZE + capacity;
    TEE_ObjectHandle object;

    if (!sz_core_reserve(charged))
        return NULL;
    object = calloc(1, sizeof *object + capacity);
    if (!object) {
        sz_core_release(charged);
        return NULL;
    }
    object->type = type;
    object->max_bits = max_bits;
    object->usage = 0xffffffff;
    object->charged = charged;
    object->capacity = capacity;
    object->next = objects;
    objects = object;
    return object;
}

void sz_object_remove(TEE_ObjectHandle object)
{
    for (TEE_ObjectHandle *link = &objects; *link; link = &(*link)->next) {
        if (*link != object)
            continue;
        *link = object->next;
        if (object->persistent)
            sz_persistent_close(object->persistent);
        sz_core_release(object->charged);
        OPENSSL_cleanse(object, sizeof *object + object->capacity);
        free(object);
        return;
    }
}

void sz_objects_reset(void)
{
    while (objects)
        sz_object_remove(objects);
}

void sz_object_check(TEE_ObjectHandle object)
{
    for (TEE_ObjectHandle open = objects; open; open = open->next)
        if (open == object)
            return;
    sz_panic(TEE_ERROR_BAD_PARAMETERS, "not an open object handle");
}

void sz_object_check_transient(TEE_ObjectHandle object)
{
    sz_object_check(object);
    if (object->flags & TEE_HANDLE_FLAG_PERSISTENT)
        sz_panic(TEE_SUCCESS, "a persistent object where a transient one is expected");
}

TEE_Result TEE_AllocateTransientObject(TEE_ObjectType objectType, uint32_t maxObjectSize,
                                       TEE_ObjectHandle *object)
{
    const struct sz_key_rule *rule = sz_key_rule(objectType);
    TEE_ObjectHandle added;

    if (!rule || maxObjectSize < rule->min_bits || maxObjectSize > rule->max_bits ||
        maxObjectSize % rule->quantum != 0)
        return TEE_ERROR_NOT_SUPPORTED;
    added = sz_object_add(objectType, maxObjectSize, (maxObjectSize + 7) / 8);
    if (!added)
        return TEE_ERROR_OUT_OF_MEMORY;
    *object = added;
    return TEE_SUCCESS;
}

void TEE_FreeTransientObject(TEE_ObjectHandle object)
{
    if (!object)
        return;
    sz_object_check_transient(object);
    sz_object_remove(object);
}

void TEE_CloseObject(TEE_ObjectHandle object)
{
    if (!object)
        return;
    sz_object_check(object);
    sz_object_remove(object);
}

void TEE_ResetTransientObject(TEE_ObjectHandle object)
{
    if (!object)
        return;
    sz_object_check_transient(object);
    OPENSSL_cleanse(object->value, object->capacity);
    memset(object->public_value, 0, sizeof object->public_value);
    object->length = 0;
    object->bits = 0;
    object->usage = 0xffffffff;
    object->flags &= ~(uint32_t)TEE_HANDLE_FLAG_INITIALIZED;
}

TEE_Result TEE_GetObjectInfo1(TEE_ObjectHandle object, TEE_ObjectInfo *objectInfo)
{
    sz_object_check(object);
    memset(objectInfo, 0, sizeof *objectInfo);
    objectInfo->objectType = object->type;
    objectInfo->objectSize = object->bits;
    objectInfo->maxObjectSize = object->max_bits;
    objectInfo->objectUsage = object->usage;
    objectInfo->handleFlags = object->flags;
    if (object->persistent)
        sz_persistent_info(object->persistent, objectInfo);
    return TEE_SUCCESS;
}

TEE_Result TEE_RestrictObjectUsage1(TEE_ObjectHandle object, uint32_t objectUsage)
{
    sz_object_check(object);
    object->usage &= objectUsage;
    return TEE_SUCCESS;
}

static uint32_t public_type_of(uint32_t type)
{
    switch (type) {
    case TEE_TYPE_ED25519_KEYPAIR:
        return TEE_TYPE_ED25519_PUBLIC_KEY;
    case TEE_TYPE_X25519_KEYPAIR:
        return TEE_TYPE_X25519_PUBLIC_KEY;
    default:
        return 0;
    }
}

TEE_Result TEE_CopyObjectAttributes1(TEE_ObjectHandle destObject, TEE_ObjectHandle srcObject)
{
    sz_object_check_transient(destObject);
    sz_object_check(srcObject);
    if (!(srcObject->flags & TEE_HANDLE_FLAG_INITIALIZED))
        sz_panic(TEE_SUCCESS, "the source object holds no key");
    if (destObject->flags & TEE_HANDLE_FLAG_INITIALIZED)
        sz_panic(TEE_SUCCESS, "the destination object holds a key already");
    if (destObject->type == srcObject->type) {
        if (srcObject->length > destObject->capacity)
            sz_panic(TEE_ERROR_BAD_PARAMETERS, "the key is larger than the destination object");
        memcpy(destObject->value, srcObject->value, srcObject->length);
        destObject->length = srcObject->length;
    } else if (public_type_of(srcObject->type) != destObject->type) {
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "objects of different types");
    }
    memcpy(destObject->public_value, srcObject->public_value, sizeof destObject->public_value);
    destObject->bits = srcObject->bits;
    destObject->usage = srcObject->usage;
    destObject->flags |= TEE_HANDLE_FLAG_INITIALIZED;
    return TEE_SUCCESS;
}
