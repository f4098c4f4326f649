/* Storage that is lost with the process: for tests. */
#include <stdlib.h>
#include <string.h>

#include "storage_backend.h"

struct entry {
    struct entry *next;
    uint8_t name[SZ_STORAGE_NAME_SIZE];
    uint8_t *blob;
    size_t size;
};

static struct entry *entries;

static struct entry **find(const uint8_t name[SZ_STORAGE_NAME_SIZE])
{
    struct entry **link = &entries;

    while (*link && memcmp((*link)->name, name, SZ_STORAGE_NAME_SIZE) != 0)
        link = &(*link)->next;
    return link;
}

static uint8_t *copy_of(const uint8_t *blob, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    return copy && size ? memcpy(copy, blob, size) : copy;
}

static TEE_Result read_blob(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE], uint8_t **blob,
                            size_t *size)
{
    const struct entry *entry = *find(name);

    (void)context;
    if (!entry)
        return TEE_ERROR_ITEM_NOT_FOUND;
    *blob = copy_of(entry->blob, entry->size);
    *size = entry->size;
    return *blob ? TEE_SUCCESS : TEE_ERROR_OUT_OF_MEMORY;
}

static TEE_Result remove_blob(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE])
{
    struct entry **link = find(name), *entry = *link;

    (void)context;
    if (!entry)
        return TEE_ERROR_ITEM_NOT_FOUND;
    *link = entry->next;
    free(entry->blob);
    free(entry);
    return TEE_SUCCESS;
}

static TEE_Result write_blob(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE], const uint8_t *blob,
                             size_t size)
{
    struct entry *entry = calloc(1, sizeof *entry);
    uint8_t *copy = copy_of(blob, size);

    if (!entry || !copy) {
        free(entry);
        free(copy);
        return TEE_ERROR_OUT_OF_MEMORY;
    }
    remove_blob(context, name);
    memcpy(entry->name, name, SZ_STORAGE_NAME_SIZE);
    entry->blob = copy;
    entry->size = size;
    entry->next = entries;
    entries = entry;
    return TEE_SUCCESS;
}

void sz_storage_in_memory(struct sz_storage_backend *backend)
{
    *backend = (struct sz_storage_backend){NULL, read_blob, write_blob, remove_blob};
}

void sz_storage_in_memory_clear(void)
{
    while (entries)
        remove_blob(NULL, entries->name);
}
