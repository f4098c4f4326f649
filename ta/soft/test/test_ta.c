/* A TA for testing the software TEE itself. Commands: see test_ta.h. Written as any TA is: against the
 * headers only. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tee_internal_api.h"
#include "tee_internal_api_extensions.h"
#include "test_ta.h"

#define TYPES                                                                                                \
    TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_OUTPUT, TEE_PARAM_TYPE_VALUE_INOUT,   \
                    TEE_PARAM_TYPE_VALUE_OUTPUT)

static uint32_t instance_invokes, open_sessions;

TEE_Result TA_CreateEntryPoint(void)
{
    return TEE_SUCCESS;
}

void TA_DestroyEntryPoint(void)
{
}

TEE_Result TA_OpenSessionEntryPoint(uint32_t paramTypes, TEE_Param params[TEE_NUM_PARAMS],
                                    void **sessionContext)
{
    (void)paramTypes;
    (void)params;
    *sessionContext = TEE_Malloc(16, TEE_MALLOC_FILL_ZERO);
    open_sessions++;
    return *sessionContext ? TEE_SUCCESS : TEE_ERROR_OUT_OF_MEMORY;
}

void TA_CloseSessionEntryPoint(void *sessionContext)
{
    open_sessions--;
    TEE_Free(sessionContext);
}

static TEE_Result echo(TEE_Param params[TEE_NUM_PARAMS])
{
    size_t size = params[0].memref.size;

    if (params[1].memref.size < size) {
        params[1].memref.size = size;
        return TEE_ERROR_SHORT_BUFFER;
    }
    TEE_MemMove(params[1].memref.buffer, params[0].memref.buffer, size);
    params[1].memref.size = size;
    params[3].value.a = params[2].value.a + 1;
    params[3].value.b = params[2].value.b + 1;
    return TEE_SUCCESS;
}

/* Touches `depth` KiB of stack, then makes a crypto call. */
__attribute__((noinline)) static uint32_t deep(uint32_t depth)
{
    volatile uint8_t frame[1024];

    frame[0] = (uint8_t)depth;
    if (depth > 1)
        return deep(depth - 1) + frame[0];
    {
        TEE_OperationHandle op;

        if (TEE_AllocateOperation(&op, TEE_ALG_SHA256, TEE_MODE_DIGEST, 0) != TEE_SUCCESS)
            return 0;
        TEE_FreeOperation(op);
    }
    return frame[0];
}

static TEE_Result store(TEE_Param params[TEE_NUM_PARAMS])
{
    return TEE_CreatePersistentObject(TEE_STORAGE_PRIVATE, "state", 5, TEE_DATA_FLAG_OVERWRITE,
                                      TEE_HANDLE_NULL, params[0].memref.buffer, params[0].memref.size, NULL);
}

static TEE_Result load(TEE_Param params[TEE_NUM_PARAMS])
{
    TEE_ObjectHandle object;
    size_t count = 0;
    TEE_Result result =
        TEE_OpenPersistentObject(TEE_STORAGE_PRIVATE, "state", 5, TEE_DATA_FLAG_ACCESS_READ, &object);

    if (result != TEE_SUCCESS)
        return result;
    result = TEE_ReadObjectData(object, params[1].memref.buffer, params[1].memref.size, &count);
    params[1].memref.size = count;
    TEE_CloseObject(object);
    return result;
}

/* Waits until another process changes shared memory during the invoke: it is the same memory, not a copy. */
static TEE_Result watch(TEE_Param params[TEE_NUM_PARAMS])
{
    const volatile uint8_t *shared = params[0].memref.buffer;
    uint8_t before = shared[0];
    TEE_Time start, now;

    TEE_GetSystemTime(&start);
    do
        TEE_GetSystemTime(&now);
    while (shared[0] == before && now.seconds < start.seconds + 5);
    params[3].value.a = shared[0] != before;
    return TEE_SUCCESS;
}

static TEE_Result property(TEE_Param params[TEE_NUM_PARAMS])
{
    char name[64] = {0};
    uint32_t value;
    TEE_Result result;

    if (params[0].memref.size >= sizeof name)
        return TEE_ERROR_BAD_PARAMETERS;
    memcpy(name, params[0].memref.buffer, params[0].memref.size);
    if (TEE_GetPropertyAsU32(TEE_PROPSET_TEE_IMPLEMENTATION, name, &value) == TEE_SUCCESS)
        params[3].value.a = value;
    result = TEE_GetPropertyAsString(TEE_PROPSET_TEE_IMPLEMENTATION, name, params[1].memref.buffer,
                                     &params[1].memref.size);
    return result;
}

/* What an intruder in this process would try. Reaching the end means that it was refused, not ended. */
static TEE_Result intrude(TEE_Param params[TEE_NUM_PARAMS])
{
    long result = 0;

    switch (params[2].value.a) {
    case 0:
        result = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
        break;
    case 1:
        result = syscall(SYS_openat, -100, "/etc/passwd", 0, 0);
        break;
    case 2:
        result = syscall(SYS_execve, "/bin/sh", NULL, NULL);
        break;
    case 3:
        result = syscall(SYS_getdents64, 3, NULL, 0);
        break;
    default:
        result = syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
        break;
    }
    params[3].value.a = result < 0;
    return TEE_SUCCESS;
}

static TEE_OperationHandle operation(uint32_t algorithm, uint32_t mode, uint32_t bits, TEE_ObjectHandle key)
{
    TEE_OperationHandle op;

    if (TEE_AllocateOperation(&op, algorithm, mode, bits) != TEE_SUCCESS ||
        TEE_SetOperationKey(op, key) != TEE_SUCCESS)
        TEE_Panic(1);
    return op;
}

static TEE_ObjectHandle fresh_key(uint32_t type, uint32_t bits)
{
    TEE_ObjectHandle key;

    if (TEE_AllocateTransientObject(type, bits, &key) != TEE_SUCCESS ||
        TEE_GenerateKey(key, bits, NULL, 0) != TEE_SUCCESS)
        TEE_Panic(2);
    return key;
}

/* One of each, inside the sandbox. The results are checked where libcrypto could answer wrongly without an
 * error. */
static TEE_Result crypto(void)
{
    TEE_ObjectHandle sign = fresh_key(TEE_TYPE_ED25519_KEYPAIR, 256),
                     agree = fresh_key(TEE_TYPE_X25519_KEYPAIR, 256);
    TEE_ObjectHandle aes = fresh_key(TEE_TYPE_AES, 128), hmac = fresh_key(TEE_TYPE_HMAC_SHA256, 256), secret;
    TEE_OperationHandle op;
    TEE_Attribute peer;
    uint8_t text[64] = {1}, sealed[64], opened[64], tag[16], nonce[12] = {0}, mac[32], point[32];
    size_t length = 64, size;

    op = operation(TEE_ALG_ED25519, TEE_MODE_SIGN, 256, sign);
    TEE_AsymmetricSignDigest(op, NULL, 0, text, 64, sealed, &length);
    TEE_FreeOperation(op);
    op = operation(TEE_ALG_ED25519, TEE_MODE_VERIFY, 256, sign);
    if (TEE_AsymmetricVerifyDigest(op, NULL, 0, text, 64, sealed, 64) != TEE_SUCCESS)
        return TEE_ERROR_SIGNATURE_INVALID;
    TEE_FreeOperation(op);

    size = 32;
    TEE_GetObjectBufferAttribute(agree, TEE_ATTR_X25519_PUBLIC_VALUE, point, &size);
    op = operation(TEE_ALG_X25519, TEE_MODE_DERIVE, 256, agree);
    if (TEE_AllocateTransientObject(TEE_TYPE_GENERIC_SECRET, 256, &secret) != TEE_SUCCESS)
        return TEE_ERROR_OUT_OF_MEMORY;
    TEE_InitRefAttribute(&peer, TEE_ATTR_X25519_PUBLIC_VALUE, point, 32);
    TEE_DeriveKey(op, &peer, 1, secret);
    TEE_FreeOperation(op);
    TEE_FreeTransientObject(secret);

    op = operation(TEE_ALG_HMAC_SHA256, TEE_MODE_MAC, 256, hmac);
    TEE_MACInit(op, NULL, 0);
    size = 32;
    TEE_MACComputeFinal(op, text, 64, mac, &size);
    TEE_FreeOperation(op);

    op = operation(TEE_ALG_AES_GCM, TEE_MODE_ENCRYPT, 128, aes);
    TEE_AEInit(op, nonce, 12, 128, 0, 64);
    length = 64;
    size = 16;
    TEE_AEEncryptFinal(op, text, 64, sealed, &length, tag, &size);
    TEE_FreeOperation(op);
    op = operation(TEE_ALG_AES_GCM, TEE_MODE_DECRYPT, 128, aes);
    TEE_AEInit(op, nonce, 12, 128, 0, 64);
    if (TEE_AEDecryptFinal(op, sealed, 64, opened, &length, tag, 16) != TEE_SUCCESS ||
        TEE_MemCompare(opened, text, 64) != 0)
        return TEE_ERROR_MAC_INVALID;
    TEE_FreeOperation(op);
    TEE_FreeTransientObject(sign);
    TEE_FreeTransientObject(agree);
    TEE_FreeTransientObject(aes);
    TEE_FreeTransientObject(hmac);
    return TEE_SUCCESS;
}

TEE_Result TA_InvokeCommandEntryPoint(void *sessionContext, uint32_t commandID, uint32_t paramTypes,
                                      TEE_Param params[TEE_NUM_PARAMS])
{
    (void)sessionContext;
    if (paramTypes != TYPES)
        return TEE_ERROR_BAD_PARAMETERS;
    instance_invokes++;
    switch (commandID) {
    case TEST_EMPTY:
        params[3].value.a = instance_invokes;
        params[3].value.b = open_sessions;
        params[1].memref.size = 0;
        return TEE_SUCCESS;
    case TEST_ECHO:
        return echo(params);
    case TEST_PANIC:
        TEE_Panic(0x1234);
    case TEST_HOG: {
        size_t blocks = 0;

        while (TEE_Malloc(64u << 10, TEE_USER_MEM_HINT_NO_FILL_ZERO))
            blocks++;
        params[3].value.a = (uint32_t)(blocks * 64);
        return TEE_SUCCESS;
    }
    case TEST_SPIN:
        for (volatile uint32_t forever = 1; forever;)
            ;
        return TEE_SUCCESS;
    case TEST_STORE:
        return store(params);
    case TEST_LOAD:
        return load(params);
    case TEST_WATCH:
        return watch(params);
    case TEST_PROPERTY:
        return property(params);
    case TEST_INTRUDE:
        return intrude(params);
    case TEST_DEEP:
        params[3].value.a = deep(params[2].value.a);
        return TEE_SUCCESS;
    case TEST_CRYPTO:
        return crypto();
    case TEST_CRASH:
        *(volatile int *)(uintptr_t)(params[2].value.a) = 1;
        return TEE_SUCCESS;
    default:
        return TEE_ERROR_NOT_SUPPORTED;
    }
}
