#define _GNU_SOURCE
#include "shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

const struct sz_share *sz_share_find(const struct sz_share shares[SZ_SHARES_PER_SESSION], uint64_t id)
{
    for (size_t i = 0; id && i < SZ_SHARES_PER_SESSION; i++)
        if (shares[i].id == id)
            return &shares[i];
    return NULL;
}

static TEE_Result map(struct sz_share *share, int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    off_t size = lseek(fd, 0, SEEK_END);
    void *memory;

    /* A memory that can shrink under the mapping would let a client kill the TA with SIGBUS. */
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || size <= 0 || (uint64_t)size > SZ_SHARE_MAX)
        return TEE_ERROR_BAD_PARAMETERS;
    memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return TEE_ERROR_OUT_OF_MEMORY;
    share->memory = memory;
    share->size = (size_t)size;
    return TEE_SUCCESS;
}

TEE_Result sz_share_add(struct sz_share shares[SZ_SHARES_PER_SESSION], uint32_t id, int fd)
{
    TEE_Result result = TEE_ERROR_OUT_OF_MEMORY;

    if (fd < 0)
        return TEE_ERROR_BAD_PARAMETERS;
    if (id == 0 || sz_share_find(shares, id))
        result = TEE_ERROR_BAD_PARAMETERS;
    else
        for (size_t i = 0; i < SZ_SHARES_PER_SESSION; i++)
            if (shares[i].id == 0) {
                result = map(&shares[i], fd);
                if (result == TEE_SUCCESS)
                    shares[i].id = id;
                break;
            }
    close(fd);
    return result;
}

static void unmap(struct sz_share *share)
{
    munmap(share->memory, share->size);
    *share = (struct sz_share){0, NULL, 0};
}

void sz_share_remove(struct sz_share shares[SZ_SHARES_PER_SESSION], uint32_t id)
{
    for (size_t i = 0; id && i < SZ_SHARES_PER_SESSION; i++)
        if (shares[i].id == id)
            unmap(&shares[i]);
}

void sz_share_remove_all(struct sz_share shares[SZ_SHARES_PER_SESSION])
{
    for (size_t i = 0; i < SZ_SHARES_PER_SESSION; i++)
        if (shares[i].id)
            unmap(&shares[i]);
}
