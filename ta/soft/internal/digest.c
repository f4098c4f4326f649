/* SHA-256 (GPD_SPE_010 section 6.3). */
#include "operation.h"

void sz_digest_restart(TEE_OperationHandle operation)
{
    if (EVP_DigestInit_ex2(operation->core->digest, sz_evp()->sha256, NULL) != 1)
        sz_panic(TEE_ERROR_GENERIC, "SHA-256 failed");
}

static void update(TEE_OperationHandle operation, const void *chunk, size_t size)
{
    if (size && (!chunk || EVP_DigestUpdate(operation->core->digest, chunk, size) != 1))
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "SHA-256 of nothing");
}

void TEE_DigestUpdate(TEE_OperationHandle operation, const void *chunk, size_t chunkSize)
{
    sz_operation_check(operation, TEE_OPERATION_DIGEST);
    operation->state = SZ_STATE_ACTIVE;
    update(operation, chunk, chunkSize);
}

TEE_Result TEE_DigestDoFinal(TEE_OperationHandle operation, const void *chunk, size_t chunkLen, void *hash,
                             size_t *hashLen)
{
    unsigned int length = 0;

    sz_operation_check(operation, TEE_OPERATION_DIGEST);
    if (*hashLen < operation->info.digestLength) {
        *hashLen = operation->info.digestLength;
        return TEE_ERROR_SHORT_BUFFER;
    }
    update(operation, chunk, chunkLen);
    if (EVP_DigestFinal_ex(operation->core->digest, hash, &length) != 1)
        sz_panic(TEE_ERROR_GENERIC, "SHA-256 failed");
    *hashLen = length;
    sz_digest_restart(operation);
    operation->state = SZ_STATE_INITIAL;
    return TEE_SUCCESS;
}
