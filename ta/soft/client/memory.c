#define _GNU_SOURCE
#include "memory.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "session.h"

static atomic_uint last_id;

int sz_memory_make(struct sz_memory *memory, size_t size)
{
    memory->size = size ? size : 1;
    memory->fd = memfd_create("smart-zone-tee", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory->fd < 0)
        return -1;
    if (ftruncate(memory->fd, (off_t)memory->size) == 0 &&
        fcntl(memory->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        memory->mapping = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
        if (memory->mapping != MAP_FAILED) {
            do
                memory->id = atomic_fetch_add(&last_id, 1) + 1;
            while (memory->id == 0);
            return 0;
        }
    }
    close(memory->fd);
    return -1;
}

void sz_memory_free(struct sz_memory *memory)
{
    sz_session_forget_memory(memory->id);
    munmap(memory->mapping, memory->size);
    close(memory->fd);
}

struct sz_memory sz_memory_of(const TEEC_SharedMemory *shared)
{
    struct sz_memory memory = {.fd = shared->fd,
                               .id = (uint32_t)shared->id,
                               .mapping = shared->shadow ? shared->shadow : shared->buffer,
                               .size = shared->allocatedSize};

    return memory;
}

int sz_memory_has_shadow(const TEEC_SharedMemory *shared)
{
    return shared->shadow != NULL;
}

TEEC_Result TEEC_AllocateSharedMemory(TEEC_Context *context, TEEC_SharedMemory *sharedMem)
{
    struct sz_memory memory;

    if (!context || !sharedMem || !sharedMem->flags ||
        (sharedMem->flags & ~(uint32_t)(TEEC_MEM_INPUT | TEEC_MEM_OUTPUT)))
        return TEEC_ERROR_BAD_PARAMETERS;
    if (sz_memory_make(&memory, sharedMem->size) != 0)
        return TEEC_ERROR_OUT_OF_MEMORY;
    sharedMem->buffer = memory.mapping;
    sharedMem->allocatedSize = memory.size;
    sharedMem->shadow = NULL;
    sharedMem->fd = memory.fd;
    sharedMem->id = (int32_t)memory.id;
    return TEEC_SUCCESS;
}

TEEC_Result TEEC_RegisterSharedMemory(TEEC_Context *context, TEEC_SharedMemory *sharedMem)
{
    struct sz_memory memory;

    if (!context || !sharedMem || !sharedMem->buffer || !sharedMem->flags ||
        (sharedMem->flags & ~(uint32_t)(TEEC_MEM_INPUT | TEEC_MEM_OUTPUT)))
        return TEEC_ERROR_BAD_PARAMETERS;
    if (sz_memory_make(&memory, sharedMem->size) != 0)
        return TEEC_ERROR_OUT_OF_MEMORY;
    sharedMem->allocatedSize = memory.size;
    sharedMem->shadow = memory.mapping;
    sharedMem->fd = memory.fd;
    sharedMem->id = (int32_t)memory.id;
    return TEEC_SUCCESS;
}

void TEEC_ReleaseSharedMemory(TEEC_SharedMemory *sharedMem)
{
    struct sz_memory memory;

    if (!sharedMem || !sharedMem->id)
        return;
    memory = sz_memory_of(sharedMem);
    sz_memory_free(&memory);
    if (!sharedMem->shadow)
        sharedMem->buffer = NULL;
    sharedMem->shadow = NULL;
    sharedMem->id = 0;
    sharedMem->fd = -1;
}
