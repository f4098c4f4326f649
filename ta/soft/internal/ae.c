/* AES-GCM (GPD_SPE_010 section 6.6). */
#include <string.h>

#include "operation.h"

/* libcrypto counts in int. */
#define STEP ((size_t)1 << 30)

static EVP_CIPHER *cipher_for(uint32_t bits)
{
    return sz_evp()->aes_gcm[bits == 128 ? 0 : bits == 192 ? 1 : 2];
}

TEE_Result TEE_AEInit(TEE_OperationHandle operation, const void *nonce, size_t nonceLen, uint32_t tagLen,
                      size_t AADLen, size_t payloadLen)
{
    EVP_CIPHER_CTX *ctx;
    EVP_CIPHER *cipher;
    int encrypt;

    (void)AADLen; /* CCM needs the lengths beforehand, GCM does not */
    (void)payloadLen;
    sz_operation_check(operation, TEE_OPERATION_AE);
    if (!nonce || nonceLen == 0 || nonceLen > 64)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "AES-GCM without a nonce");
    if (operation->state != SZ_STATE_INITIAL)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "the operation is under way: reset it first");
    if (tagLen < 96 || tagLen > 128 || tagLen % 8 != 0)
        return TEE_ERROR_NOT_SUPPORTED;
    if (!(operation->info.handleState & TEE_HANDLE_FLAG_KEY_SET))
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "AES-GCM without a key");
    ctx = operation->core->cipher;
    encrypt = operation->info.mode == TEE_MODE_ENCRYPT;
    cipher = cipher_for(operation->key1->bits);
    if ((EVP_CIPHER_CTX_get0_cipher(ctx) != cipher &&
         EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, encrypt, NULL) != 1) ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)nonceLen, NULL) != 1 ||
        EVP_CipherInit_ex2(ctx, NULL, operation->key1->value, nonce, encrypt, NULL) != 1)
        sz_panic(TEE_ERROR_GENERIC, "AES-GCM failed");
    operation->info.digestLength = tagLen / 8;
    operation->info.handleState |= TEE_HANDLE_FLAG_INITIALIZED;
    return TEE_SUCCESS;
}

/* Feeds `size` bytes; `to` is NULL for associated data. */
static void feed(TEE_OperationHandle operation, const uint8_t *from, size_t size, uint8_t *to)
{
    while (size) {
        size_t step = size < STEP ? size : STEP;
        int length = 0;

        if (EVP_CipherUpdate(operation->core->cipher, to, &length, from, (int)step) != 1)
            sz_panic(TEE_ERROR_BAD_STATE, "AES-GCM failed");
        from += step;
        size -= step;
        if (to)
            to += step;
    }
}

static void check_data(TEE_OperationHandle operation, const void *from, size_t size, const void *to)
{
    uintptr_t a = (uintptr_t)from, b = (uintptr_t)to;

    sz_operation_check(operation, TEE_OPERATION_AE);
    sz_operation_check_initialized(operation);
    if (!from && size)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "AES-GCM of nothing");
    /* Decrypting in place was wrong in OP-TEE before 4.8.0: whoever does it here learns of it here. */
    if (size && operation->info.mode == TEE_MODE_DECRYPT && a < b + size && b < a + size)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "AES-GCM decryption in place");
}

void TEE_AEUpdateAAD(TEE_OperationHandle operation, const void *AADdata, size_t AADdataLen)
{
    sz_operation_check(operation, TEE_OPERATION_AE);
    sz_operation_check_initialized(operation);
    if ((!AADdata && AADdataLen) || operation->state != SZ_STATE_INITIAL)
        sz_panic(TEE_SUCCESS, "associated data after the payload, or nothing");
    feed(operation, AADdata, AADdataLen, NULL);
}

TEE_Result TEE_AEUpdate(TEE_OperationHandle operation, const void *srcData, size_t srcLen, void *destData,
                        size_t *destLen)
{
    check_data(operation, srcData, srcLen, destData);
    if (*destLen < srcLen) {
        *destLen = srcLen;
        return TEE_ERROR_SHORT_BUFFER;
    }
    feed(operation, srcData, srcLen, destData);
    *destLen = srcLen;
    if (srcLen)
        operation->state = SZ_STATE_ACTIVE;
    return TEE_SUCCESS;
}

static void finished(TEE_OperationHandle operation)
{
    operation->info.handleState &= ~(uint32_t)TEE_HANDLE_FLAG_INITIALIZED;
    operation->state = SZ_STATE_INITIAL;
}

TEE_Result TEE_AEEncryptFinal(TEE_OperationHandle operation, const void *srcData, size_t srcLen,
                              void *destData, size_t *destLen, void *tag, size_t *tagLen)
{
    TEE_Result result = TEE_SUCCESS;
    uint8_t none[16];
    int length = 0;

    check_data(operation, srcData, srcLen, destData);
    if (*destLen < srcLen) {
        *destLen = srcLen;
        result = TEE_ERROR_SHORT_BUFFER;
    }
    if (*tagLen < operation->info.digestLength) {
        *tagLen = operation->info.digestLength;
        result = TEE_ERROR_SHORT_BUFFER;
    }
    if (result != TEE_SUCCESS)
        return result;
    if (operation->info.mode != TEE_MODE_ENCRYPT)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "encrypting with a decryption operation");
    feed(operation, srcData, srcLen, destData);
    if (EVP_CipherFinal_ex(operation->core->cipher, none, &length) != 1 ||
        EVP_CIPHER_CTX_ctrl(operation->core->cipher, EVP_CTRL_AEAD_GET_TAG, (int)operation->info.digestLength,
                            tag) != 1)
        sz_panic(TEE_ERROR_GENERIC, "AES-GCM failed");
    *destLen = srcLen;
    *tagLen = operation->info.digestLength;
    finished(operation);
    return TEE_SUCCESS;
}

TEE_Result TEE_AEDecryptFinal(TEE_OperationHandle operation, const void *srcData, size_t srcLen,
                              void *destData, size_t *destLen, void *tag, size_t tagLen)
{
    uint8_t none[16], copy[16];
    int length = 0;

    check_data(operation, srcData, srcLen, destData);
    if (*destLen < srcLen) {
        *destLen = srcLen;
        return TEE_ERROR_SHORT_BUFFER;
    }
    if (operation->info.mode != TEE_MODE_DECRYPT)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "decrypting with an encryption operation");
    feed(operation, srcData, srcLen, destData);
    /* As in OP-TEE the operation stays under way after a wrong tag: it has to be reset before it takes
     * another key. */
    if (tagLen != operation->info.digestLength)
        return TEE_ERROR_MAC_INVALID;
    memcpy(copy, tag, tagLen);
    if (EVP_CIPHER_CTX_ctrl(operation->core->cipher, EVP_CTRL_AEAD_SET_TAG, (int)tagLen, copy) != 1)
        sz_panic(TEE_ERROR_GENERIC, "AES-GCM failed");
    if (EVP_CipherFinal_ex(operation->core->cipher, none, &length) != 1)
        return TEE_ERROR_MAC_INVALID;
    *destLen = srcLen;
    finished(operation);
    return TEE_SUCCESS;
}
