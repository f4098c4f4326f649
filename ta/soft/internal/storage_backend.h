/* Where the sealed form of persistent objects is kept: the supervisor's files, a directory, or memory. A
 * backend sees names and ciphertext only. */
#ifndef SZ_STORAGE_BACKEND_H
#define SZ_STORAGE_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "tee_api_defines.h"
#include "tee_api_types.h"

#define SZ_STORAGE_NAME_SIZE 32
/* Largest sealed object. Trusted storage holds keys and small state (OP-TEE writes 1 MiB in seconds). */
#define SZ_STORAGE_MAX_SIZE ((1u << 20) + 256u)

struct sz_storage_backend {
    void *context;
    /* Allocates *blob with malloc(). TEE_ERROR_ITEM_NOT_FOUND when there is none. */
    TEE_Result (*read)(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE], uint8_t **blob, size_t *size);
    /* Atomic: after a power cut the old or the new blob is there. */
    TEE_Result (*write)(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE], const uint8_t *blob,
                        size_t size);
    TEE_Result (*remove)(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE]);
};

/* One file a blob in `path`, which exists and stays valid: temporary file, fsync, rename, fsync of the
 * directory. */
void sz_storage_in_directory(struct sz_storage_backend *backend, const char *path);

/* Lost when the process ends. */
void sz_storage_in_memory(struct sz_storage_backend *backend);
void sz_storage_in_memory_clear(void);

#endif
