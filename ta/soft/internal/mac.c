/* HMAC-SHA256 (GPD_SPE_010 section 6.5). */
#include <openssl/crypto.h>

#include "operation.h"

void TEE_MACInit(TEE_OperationHandle operation, const void *IV, size_t IVLen)
{
    (void)IV;
    (void)IVLen;
    sz_operation_check(operation, TEE_OPERATION_MAC);
    if (!(operation->info.handleState & TEE_HANDLE_FLAG_KEY_SET))
        sz_panic(TEE_SUCCESS, "a MAC without a key");
    if (EVP_MAC_init(operation->core->mac, operation->key1->value, operation->key1->length, NULL) != 1)
        sz_panic(TEE_ERROR_GENERIC, "HMAC failed");
    operation->state = SZ_STATE_ACTIVE;
    operation->info.handleState |= TEE_HANDLE_FLAG_INITIALIZED;
}

static void check_active(TEE_OperationHandle operation, const void *chunk, size_t size)
{
    sz_operation_check(operation, TEE_OPERATION_MAC);
    sz_operation_check_initialized(operation);
    if (operation->state != SZ_STATE_ACTIVE || (!chunk && size))
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "a MAC that is not under way, or of nothing");
}

void TEE_MACUpdate(TEE_OperationHandle operation, const void *chunk, size_t chunkSize)
{
    check_active(operation, chunk, chunkSize);
    if (chunkSize && EVP_MAC_update(operation->core->mac, chunk, chunkSize) != 1)
        sz_panic(TEE_ERROR_GENERIC, "HMAC failed");
}

TEE_Result TEE_MACComputeFinal(TEE_OperationHandle operation, const void *message, size_t messageLen,
                               void *mac, size_t *macLen)
{
    size_t length = 0;

    check_active(operation, message, messageLen);
    if (*macLen < operation->info.digestLength) {
        *macLen = operation->info.digestLength;
        return TEE_ERROR_SHORT_BUFFER;
    }
    if ((messageLen && EVP_MAC_update(operation->core->mac, message, messageLen) != 1) ||
        EVP_MAC_final(operation->core->mac, mac, &length, *macLen) != 1)
        sz_panic(TEE_ERROR_GENERIC, "HMAC failed");
    *macLen = length;
    operation->info.handleState &= ~(uint32_t)TEE_HANDLE_FLAG_INITIALIZED;
    operation->state = SZ_STATE_INITIAL;
    return TEE_SUCCESS;
}

TEE_Result TEE_MACCompareFinal(TEE_OperationHandle operation, const void *message, size_t messageLen,
                               const void *mac, size_t macLen)
{
    uint8_t computed[32];
    size_t length = sizeof computed;
    TEE_Result result = TEE_ERROR_MAC_INVALID;

    TEE_MACComputeFinal(operation, message, messageLen, computed, &length);
    if (length == macLen && CRYPTO_memcmp(mac, computed, length) == 0)
        result = TEE_SUCCESS;
    OPENSSL_cleanse(computed, sizeof computed);
    return result;
}
