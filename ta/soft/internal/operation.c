/* Operations: allocating, keys, states (GPD_SPE_010 section 6.2). Where the specification says panic, so does
 * this. */
#include "operation.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>

/* What OP-TEE's core allocates for the state of an operation besides its copy of the key, rounded up from 4.x
 * on 64-bit: struct tee_cryp_state, the algorithm's context (the GCM one holds the expanded key and the hash
 * table) and the allocator's headers. */
struct algorithm {
    uint32_t algorithm, class, mode_a, mode_b;
    uint32_t usage_a, usage_b;
    uint32_t key_type_a, key_type_b; /* object type for mode a and mode b */
    uint32_t digest_length;
    size_t core_size;
};
static const struct algorithm algorithms[] = {
    {TEE_ALG_AES_GCM, TEE_OPERATION_AE, TEE_MODE_ENCRYPT, TEE_MODE_DECRYPT, TEE_USAGE_ENCRYPT,
     TEE_USAGE_DECRYPT, TEE_TYPE_AES, TEE_TYPE_AES, 0, 1024},
    {TEE_ALG_SHA256, TEE_OPERATION_DIGEST, TEE_MODE_DIGEST, TEE_MODE_DIGEST, 0, 0, 0, 0, 32, 320},
    {TEE_ALG_HMAC_SHA256, TEE_OPERATION_MAC, TEE_MODE_MAC, TEE_MODE_MAC, TEE_USAGE_MAC, TEE_USAGE_MAC,
     TEE_TYPE_HMAC_SHA256, TEE_TYPE_HMAC_SHA256, 32, 576},
    {TEE_ALG_ED25519, TEE_OPERATION_ASYMMETRIC_SIGNATURE, TEE_MODE_SIGN, TEE_MODE_VERIFY, TEE_USAGE_SIGN,
     TEE_USAGE_VERIFY, TEE_TYPE_ED25519_KEYPAIR, TEE_TYPE_ED25519_PUBLIC_KEY, 0, 128},
    {TEE_ALG_X25519, TEE_OPERATION_KEY_DERIVATION, TEE_MODE_DERIVE, TEE_MODE_DERIVE, TEE_USAGE_DERIVE,
     TEE_USAGE_DERIVE, TEE_TYPE_X25519_KEYPAIR, TEE_TYPE_X25519_KEYPAIR, 0, 128},
};

static const struct algorithm *find(uint32_t id)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++)
        if (algorithms[i].algorithm == id)
            return &algorithms[i];
    return NULL;
}

TEE_Result TEE_IsAlgorithmSupported(uint32_t algId, uint32_t element)
{
    if (!find(algId))
        return TEE_ERROR_NOT_SUPPORTED;
    if (algId == TEE_ALG_ED25519 || algId == TEE_ALG_X25519)
        return element == TEE_ECC_CURVE_25519 ? TEE_SUCCESS : TEE_ERROR_NOT_SUPPORTED;
    return element == TEE_CRYPTO_ELEMENT_NONE ? TEE_SUCCESS : TEE_ERROR_NOT_SUPPORTED;
}

static void free_core(struct sz_core_state *core)
{
    if (!core)
        return;
    EVP_CIPHER_CTX_free(core->cipher);
    EVP_MD_CTX_free(core->digest);
    EVP_MAC_CTX_free(core->mac);
    EVP_PKEY_free(core->key);
    sz_core_release(core->charged);
    free(core);
}

static struct sz_core_state *new_core(const struct algorithm *algorithm)
{
    struct sz_core_state *core;

    if (!sz_core_reserve(algorithm->core_size))
        return NULL;
    core = calloc(1, sizeof *core);
    if (!core) {
        sz_core_release(algorithm->core_size);
        return NULL;
    }
    core->charged = algorithm->core_size;
    switch (algorithm->class) {
    case TEE_OPERATION_AE:
        core->cipher = EVP_CIPHER_CTX_new();
        break;
    case TEE_OPERATION_MAC: {
        char name[] = "SHA2-256";
        const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                     OSSL_PARAM_construct_end()};

        core->mac = EVP_MAC_CTX_new(sz_evp()->hmac);
        if (core->mac && EVP_MAC_CTX_set_params(core->mac, params) != 1)
            sz_panic(TEE_ERROR_GENERIC, "HMAC has no SHA-256");
        break;
    }
    default:
        core->digest = EVP_MD_CTX_new();
    }
    if (!core->cipher && !core->mac && !core->digest) {
        free_core(core);
        return NULL;
    }
    return core;
}

TEE_Result TEE_AllocateOperation(TEE_OperationHandle *operation, uint32_t algorithm, uint32_t mode,
                                 uint32_t maxKeySize)
{
    const struct algorithm *rule = find(algorithm);
    TEE_OperationHandle op;
    TEE_Result result = TEE_ERROR_OUT_OF_MEMORY;

    if (!operation)
        sz_panic(TEE_SUCCESS, "no place for the operation handle");
    sz_check_stack();
    if (!rule || (mode != rule->mode_a && mode != rule->mode_b))
        return TEE_ERROR_NOT_SUPPORTED;
    if ((algorithm == TEE_ALG_ED25519 || algorithm == TEE_ALG_X25519) && maxKeySize != 256)
        return TEE_ERROR_NOT_SUPPORTED;
    op = TEE_Malloc(sizeof *op, TEE_MALLOC_FILL_ZERO);
    if (!op)
        return TEE_ERROR_OUT_OF_MEMORY;
    op->info.algorithm = algorithm;
    op->info.operationClass = rule->class;
    op->info.mode = mode;
    op->info.digestLength = rule->digest_length;
    op->info.maxKeySize = maxKeySize;
    op->info.requiredKeyUsage = mode == rule->mode_a ? rule->usage_a : rule->usage_b;
    if (rule->key_type_a) {
        result = TEE_AllocateTransientObject(mode == rule->mode_a ? rule->key_type_a : rule->key_type_b,
                                             maxKeySize, &op->key1);
        if (result != TEE_SUCCESS)
            goto fail;
    }
    op->core = new_core(rule);
    if (!op->core) {
        result = TEE_ERROR_OUT_OF_MEMORY;
        goto fail;
    }
    if (rule->class == TEE_OPERATION_DIGEST) {
        op->info.handleState = TEE_HANDLE_FLAG_KEY_SET | TEE_HANDLE_FLAG_INITIALIZED;
        sz_digest_restart(op);
    }
    *operation = op;
    return TEE_SUCCESS;
fail:
    TEE_FreeTransientObject(op->key1);
    TEE_Free(op);
    return result;
}

void TEE_FreeOperation(TEE_OperationHandle operation)
{
    if (!operation)
        return;
    TEE_FreeTransientObject(operation->key1);
    free_core(operation->core);
    operation->core = NULL;
    TEE_Free(operation);
}

void TEE_GetOperationInfo(TEE_OperationHandle operation, TEE_OperationInfo *operationInfo)
{
    if (!operation)
        sz_panic(TEE_SUCCESS, "no operation");
    *operationInfo = operation->info;
}

static void reset_state(TEE_OperationHandle op)
{
    op->state = SZ_STATE_INITIAL;
    if (op->info.operationClass == TEE_OPERATION_DIGEST)
        sz_digest_restart(op);
    else
        op->info.handleState &= ~(uint32_t)TEE_HANDLE_FLAG_INITIALIZED;
}

void TEE_ResetOperation(TEE_OperationHandle operation)
{
    if (!operation)
        sz_panic(TEE_SUCCESS, "no operation");
    if (!(operation->info.handleState & TEE_HANDLE_FLAG_KEY_SET))
        sz_panic(TEE_SUCCESS, "reset of an operation without a key");
    reset_state(operation);
}

/* Both halves of a key pair as the object holds them, as OP-TEE's core takes them. From the private one alone
 * libcrypto would compute the public one again, which takes as long as a signature. */
static EVP_PKEY *ed25519_pair(TEE_ObjectHandle key)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, key->value, key->length),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, key->public_value, SZ_KEY_25519_SIZE),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "ED25519", NULL);
    EVP_PKEY *pair = NULL;

    if (ctx && EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &pair, EVP_PKEY_KEYPAIR, params);
    EVP_PKEY_CTX_free(ctx);
    return pair;
}

static void forget_key(struct sz_core_state *core)
{
    if (!core->key)
        return;
    EVP_MD_CTX_reset(core->digest); /* which holds the key too once it has signed */
    EVP_PKEY_free(core->key);
    core->key = NULL;
}

static void load_key(TEE_OperationHandle op)
{
    TEE_ObjectHandle key = op->key1;

    forget_key(op->core);
    switch (key->type) {
    case TEE_TYPE_ED25519_KEYPAIR:
        op->core->key = ed25519_pair(key);
        break;
    case TEE_TYPE_ED25519_PUBLIC_KEY:
        op->core->key =
            EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->public_value, SZ_KEY_25519_SIZE);
        break;
    case TEE_TYPE_X25519_KEYPAIR:
        op->core->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, key->value, key->length);
        break;
    default:
        return;
    }
    if (!op->core->key)
        sz_panic(TEE_ERROR_GENERIC, "libcrypto takes no such key");
}

TEE_Result TEE_SetOperationKey(TEE_OperationHandle operation, TEE_ObjectHandle key)
{
    if (!operation)
        sz_panic(TEE_SUCCESS, "no operation");
    if (operation->info.handleState & TEE_HANDLE_FLAG_INITIALIZED)
        sz_panic(TEE_SUCCESS, "the operation is under way: reset it before setting a key");
    sz_check_stack();
    if (!key) {
        TEE_ResetTransientObject(operation->key1);
        forget_key(operation->core);
        operation->info.handleState &= ~(uint32_t)TEE_HANDLE_FLAG_KEY_SET;
        if (operation->state != SZ_STATE_INITIAL)
            reset_state(operation);
        return TEE_SUCCESS;
    }
    if (!operation->key1)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "a digest takes no key");
    sz_object_check(key);
    if ((key->usage & operation->info.requiredKeyUsage) != operation->info.requiredKeyUsage)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "the key may not be used for this");
    if (operation->info.maxKeySize < key->bits)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "the key is larger than the operation was allocated for");
    TEE_ResetTransientObject(operation->key1);
    operation->info.handleState &= ~(uint32_t)TEE_HANDLE_FLAG_KEY_SET;
    TEE_CopyObjectAttributes1(operation->key1, key);
    load_key(operation);
    operation->info.handleState |= TEE_HANDLE_FLAG_KEY_SET;
    operation->info.keySize = key->bits;
    if (operation->state != SZ_STATE_INITIAL)
        reset_state(operation);
    return TEE_SUCCESS;
}

void sz_operation_check(TEE_OperationHandle operation, uint32_t operation_class)
{
    if (!operation)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "no operation");
    if (operation->info.operationClass != operation_class)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "an operation of another class");
    sz_check_stack();
}

void sz_operation_check_initialized(TEE_OperationHandle operation)
{
    if (!(operation->info.handleState & TEE_HANDLE_FLAG_INITIALIZED))
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "the operation was not initialised");
}
