/* Persistent objects (GPD_SPE_010 sections 5.7 and 5.9): data objects of up to 1 MiB. An open object is a
 * decrypted copy; every change writes the whole object anew, atomically. */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "object.h"
#include "sealed_object.h"

/* In OP-TEE an open file costs the core about this much (struct tee_pobj, the file's handle, hash tree). */
#define CORE_FILE_SIZE 512u

struct sz_persistent {
    struct sz_persistent *next;
    uint8_t id[TEE_OBJECT_ID_MAX_LEN];
    size_t id_size;
    uint32_t flags;
    uint8_t *data;
    size_t size, position;
};

static struct sz_persistent *open_files;

void sz_persistent_close(struct sz_persistent *file)
{
    for (struct sz_persistent **link = &open_files; *link; link = &(*link)->next)
        if (*link == file) {
            *link = file->next;
            break;
        }
    if (file->data)
        OPENSSL_cleanse(file->data, file->size);
    free(file->data);
    free(file);
}

void sz_persistent_info(const struct sz_persistent *file, TEE_ObjectInfo *info)
{
    info->objectType = TEE_TYPE_DATA;
    info->dataSize = file->size;
    info->dataPosition = file->position;
    info->handleFlags |= file->flags;
}

static const struct sz_storage_backend *storage(void)
{
    return &sz_tee()->config.storage;
}

static TEE_Result write_object(const uint8_t *id, size_t id_size, const uint8_t *data, size_t size)
{
    uint8_t name[SZ_STORAGE_NAME_SIZE], *blob;
    size_t blob_size;
    TEE_Result result = sz_object_seal(id, id_size, data, size, &blob, &blob_size);

    if (result != TEE_SUCCESS)
        return result;
    sz_object_name(id, id_size, name);
    result = storage()->write(storage()->context, name, blob, blob_size);
    free(blob);
    return result;
}

static TEE_Result read_object(const uint8_t *id, size_t id_size, uint8_t **data, size_t *size)
{
    uint8_t name[SZ_STORAGE_NAME_SIZE], *blob = NULL;
    size_t blob_size = 0;
    TEE_Result result;

    sz_object_name(id, id_size, name);
    result = storage()->read(storage()->context, name, &blob, &blob_size);
    if (result != TEE_SUCCESS)
        return result;
    result = sz_object_open(id, id_size, blob, blob_size, data, size);
    free(blob);
    return result;
}

static void check_id(uint32_t storage_id, const void *id, size_t id_size, TEE_ObjectHandle *object)
{
    sz_check_stack();
    if (object)
        *object = TEE_HANDLE_NULL;
    if (id_size > TEE_OBJECT_ID_MAX_LEN || (!id && id_size))
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "an object identifier of more than 64 bytes");
    if (storage_id != TEE_STORAGE_PRIVATE)
        sz_panic(TEE_ERROR_ITEM_NOT_FOUND, "not a storage");
}

/* Sharing rules of table 5-10. */
static int conflicts(const void *id, size_t id_size, uint32_t flags)
{
    for (const struct sz_persistent *file = open_files; file; file = file->next) {
        uint32_t either = file->flags | flags, both = file->flags & flags;

        if (file->id_size != id_size || memcmp(file->id, id, id_size) != 0)
            continue;
        if (either & TEE_DATA_FLAG_ACCESS_WRITE_META)
            return 1;
        if ((either & TEE_DATA_FLAG_ACCESS_READ) && !(both & TEE_DATA_FLAG_SHARE_READ))
            return 1;
        if ((either & TEE_DATA_FLAG_ACCESS_WRITE) && !(both & TEE_DATA_FLAG_SHARE_WRITE))
            return 1;
    }
    return 0;
}

/* Takes over `data`. */
static TEE_Result open_handle(const void *id, size_t id_size, uint32_t flags, uint8_t *data, size_t size,
                              TEE_ObjectHandle *object)
{
    struct sz_persistent *file = calloc(1, sizeof *file);
    TEE_ObjectHandle handle = file ? sz_object_add(TEE_TYPE_DATA, 0, CORE_FILE_SIZE) : NULL;

    if (!handle) {
        if (data)
            OPENSSL_cleanse(data, size);
        free(data);
        free(file);
        return TEE_ERROR_OUT_OF_MEMORY;
    }
    memcpy(file->id, id, id_size);
    file->id_size = id_size;
    file->flags = flags;
    file->data = data;
    file->size = size;
    file->next = open_files;
    open_files = file;
    handle->persistent = file;
    handle->flags = TEE_HANDLE_FLAG_PERSISTENT | TEE_HANDLE_FLAG_INITIALIZED;
    *object = handle;
    return TEE_SUCCESS;
}

TEE_Result TEE_OpenPersistentObject(uint32_t storageID, const void *objectID, size_t objectIDLen,
                                    uint32_t flags, TEE_ObjectHandle *object)
{
    uint8_t *data;
    size_t size;
    TEE_Result result;

    check_id(storageID, objectID, objectIDLen, object);
    if (conflicts(objectID, objectIDLen, flags))
        return TEE_ERROR_ACCESS_CONFLICT;
    result = read_object(objectID, objectIDLen, &data, &size);
    if (result != TEE_SUCCESS)
        return result;
    return open_handle(objectID, objectIDLen, flags, data, size, object);
}

TEE_Result TEE_CreatePersistentObject(uint32_t storageID, const void *objectID, size_t objectIDLen,
                                      uint32_t flags, TEE_ObjectHandle attributes, const void *initialData,
                                      size_t initialDataLen, TEE_ObjectHandle *object)
{
    uint8_t *data = NULL;
    size_t size;
    TEE_Result result;

    check_id(storageID, objectID, objectIDLen, object);
    if (attributes)
        sz_panic(TEE_ERROR_NOT_SUPPORTED, "the software TEE keeps data objects only");
    if (!initialData && initialDataLen)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "initial data of nothing");
    if (conflicts(objectID, objectIDLen, flags))
        return TEE_ERROR_ACCESS_CONFLICT;
    if (!(flags & TEE_DATA_FLAG_OVERWRITE)) {
        result = read_object(objectID, objectIDLen, &data, &size);
        if (result == TEE_SUCCESS) {
            OPENSSL_cleanse(data, size);
            free(data);
            return TEE_ERROR_ACCESS_CONFLICT;
        }
        if (result != TEE_ERROR_ITEM_NOT_FOUND)
            return result;
    }
    result = write_object(objectID, objectIDLen, initialData, initialDataLen);
    if (result != TEE_SUCCESS || !object)
        return result;
    data = malloc(initialDataLen ? initialDataLen : 1);
    if (!data)
        return TEE_ERROR_OUT_OF_MEMORY;
    if (initialDataLen)
        memcpy(data, initialData, initialDataLen);
    return open_handle(objectID, objectIDLen, flags, data, initialDataLen, object);
}

static struct sz_persistent *file_of(TEE_ObjectHandle object, uint32_t right)
{
    sz_object_check(object);
    if (!object->persistent)
        sz_panic(TEE_ERROR_BAD_STATE, "not a persistent object");
    if (!(object->persistent->flags & right))
        sz_panic(TEE_ERROR_ACCESS_CONFLICT, "the object was not opened for this");
    sz_check_stack();
    return object->persistent;
}

TEE_Result TEE_CloseAndDeletePersistentObject1(TEE_ObjectHandle object)
{
    const struct sz_persistent *file;
    uint8_t name[SZ_STORAGE_NAME_SIZE];
    TEE_Result result;

    if (!object)
        return TEE_SUCCESS;
    file = file_of(object, TEE_DATA_FLAG_ACCESS_WRITE_META);
    sz_object_name(file->id, file->id_size, name);
    result = storage()->remove(storage()->context, name);
    sz_object_remove(object);
    return result;
}

TEE_Result TEE_ReadObjectData(TEE_ObjectHandle object, void *buffer, size_t size, size_t *count)
{
    struct sz_persistent *file = file_of(object, TEE_DATA_FLAG_ACCESS_READ);
    size_t left = file->position < file->size ? file->size - file->position : 0;

    *count = size < left ? size : left;
    if (*count)
        memcpy(buffer, file->data + file->position, *count);
    file->position += *count;
    return TEE_SUCCESS;
}

/* Writes the object with `size` bytes of data; on failure the open copy and the stored object stay as they
 * were. */
static TEE_Result replace(struct sz_persistent *file, uint8_t *data, size_t size)
{
    TEE_Result result = write_object(file->id, file->id_size, data, size);
    uint8_t *old = result == TEE_SUCCESS ? file->data : data;

    if (old)
        OPENSSL_cleanse(old, result == TEE_SUCCESS ? file->size : size);
    free(old);
    if (result == TEE_SUCCESS) {
        file->data = data;
        file->size = size;
    }
    return result;
}

TEE_Result TEE_WriteObjectData(TEE_ObjectHandle object, const void *buffer, size_t size)
{
    struct sz_persistent *file = file_of(object, TEE_DATA_FLAG_ACCESS_WRITE);
    size_t end, total;
    uint8_t *data;
    TEE_Result result;

    if (size == 0)
        return TEE_SUCCESS;
    if (size > TEE_DATA_MAX_POSITION - file->position)
        return TEE_ERROR_OVERFLOW;
    end = file->position + size;
    total = end > file->size ? end : file->size;
    if (total > SZ_STORAGE_MAX_SIZE)
        return TEE_ERROR_STORAGE_NO_SPACE;
    data = calloc(1, total);
    if (!data)
        return TEE_ERROR_OUT_OF_MEMORY;
    memcpy(data, file->data, file->size);
    memcpy(data + file->position, buffer, size);
    result = replace(file, data, total);
    if (result == TEE_SUCCESS)
        file->position = end;
    return result;
}

TEE_Result TEE_TruncateObjectData(TEE_ObjectHandle object, size_t size)
{
    struct sz_persistent *file = file_of(object, TEE_DATA_FLAG_ACCESS_WRITE);
    uint8_t *data;

    if (size > SZ_STORAGE_MAX_SIZE)
        return TEE_ERROR_STORAGE_NO_SPACE;
    data = calloc(1, size ? size : 1);
    if (!data)
        return TEE_ERROR_OUT_OF_MEMORY;
    memcpy(data, file->data, size < file->size ? size : file->size);
    return replace(file, data, size);
}

TEE_Result TEE_SeekObjectData(TEE_ObjectHandle object, intmax_t offset, TEE_Whence whence)
{
    struct sz_persistent *file;
    intmax_t base;

    sz_object_check(object);
    file = object->persistent;
    if (!file)
        sz_panic(TEE_ERROR_BAD_STATE, "not a persistent object");
    switch (whence) {
    case TEE_DATA_SEEK_SET:
        base = 0;
        break;
    case TEE_DATA_SEEK_CUR:
        base = (intmax_t)file->position;
        break;
    case TEE_DATA_SEEK_END:
        base = (intmax_t)file->size;
        break;
    default:
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "not a place to seek from");
    }
    if (offset > (intmax_t)TEE_DATA_MAX_POSITION - base)
        return TEE_ERROR_OVERFLOW;
    file->position = offset < -base ? 0 : (size_t)(base + offset);
    return TEE_SUCCESS;
}
