/* Ed25519 (GPD_SPE_010 section 6.7) and X25519 agreement (section 6.8). */
#include <openssl/crypto.h>
#include <string.h>

#include "operation.h"

#define SIGNATURE_SIZE 64u

static void check(TEE_OperationHandle operation, uint32_t operation_class, uint32_t mode)
{
    sz_operation_check(operation, operation_class);
    if (operation->info.mode != mode)
        sz_panic(TEE_SUCCESS, "an operation of another mode");
    if (!(operation->info.handleState & TEE_HANDLE_FLAG_KEY_SET) || !operation->core->key)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "the operation has no key");
}

TEE_Result TEE_AsymmetricSignDigest(TEE_OperationHandle operation, const TEE_Attribute *params,
                                    uint32_t paramCount, const void *digest, size_t digestLen,
                                    void *signature, size_t *signatureLen)
{
    EVP_MD_CTX *ctx;
    size_t length = SIGNATURE_SIZE;

    (void)params;
    check(operation, TEE_OPERATION_ASYMMETRIC_SIGNATURE, TEE_MODE_SIGN);
    if ((!digest && digestLen) || paramCount != 0)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "a signature of nothing, or with a context");
    if (*signatureLen < SIGNATURE_SIZE)
        sz_panic(TEE_ERROR_BAD_PARAMETERS,
                 "less than 64 bytes for a signature (no short buffer here in OP-TEE)");
    ctx = operation->core->digest;
    /* Once initialised for a key it looks nothing up any more. */
    if (EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL,
                              EVP_MD_CTX_get_pkey_ctx(ctx) ? NULL : operation->core->key, NULL) != 1 ||
        EVP_DigestSign(ctx, signature, &length, digest, digestLen) != 1)
        sz_panic(TEE_ERROR_GENERIC, "Ed25519 failed");
    *signatureLen = length;
    return TEE_SUCCESS;
}

TEE_Result TEE_AsymmetricVerifyDigest(TEE_OperationHandle operation, const TEE_Attribute *params,
                                      uint32_t paramCount, const void *digest, size_t digestLen,
                                      const void *signature, size_t signatureLen)
{
    EVP_MD_CTX *ctx;

    (void)params;
    check(operation, TEE_OPERATION_ASYMMETRIC_SIGNATURE, TEE_MODE_VERIFY);
    if ((!digest && digestLen) || (!signature && signatureLen) || paramCount != 0)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "a signature of nothing, or with a context");
    /* OP-TEE's core answers bad parameters to a wrong length, and libutee panics on that. */
    if (signatureLen != SIGNATURE_SIZE)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "an Ed25519 signature that is not 64 bytes");
    ctx = operation->core->digest;
    EVP_MD_CTX_reset(ctx);
    if (EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, operation->core->key, NULL) != 1)
        sz_panic(TEE_ERROR_GENERIC, "Ed25519 failed");
    return EVP_DigestVerify(ctx, signature, signatureLen, digest, digestLen) == 1
               ? TEE_SUCCESS
               : TEE_ERROR_SIGNATURE_INVALID;
}

void TEE_DeriveKey(TEE_OperationHandle operation, const TEE_Attribute *params, uint32_t paramCount,
                   TEE_ObjectHandle derivedKey)
{
    uint8_t secret[SZ_KEY_25519_SIZE];
    size_t length = sizeof secret;
    EVP_PKEY *peer;
    EVP_PKEY_CTX *ctx;
    int agreed;

    check(operation, TEE_OPERATION_KEY_DERIVATION, TEE_MODE_DERIVE);
    sz_object_check(derivedKey);
    if (derivedKey->type != TEE_TYPE_GENERIC_SECRET || (derivedKey->flags & TEE_HANDLE_FLAG_INITIALIZED))
        sz_panic(TEE_SUCCESS, "the derived key needs an empty generic secret");
    if (derivedKey->capacity < sizeof secret)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "the derived key's object is too small");
    if (paramCount != 1 || params[0].attributeID != TEE_ATTR_X25519_PUBLIC_VALUE ||
        params[0].content.ref.length != SZ_KEY_25519_SIZE)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "X25519 needs the peer's 32 bytes");
    peer =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, params[0].content.ref.buffer, SZ_KEY_25519_SIZE);
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, operation->core->key, NULL);
    if (!peer || !ctx || EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) != 1)
        sz_panic(TEE_ERROR_GENERIC, "X25519 failed");
    agreed = EVP_PKEY_derive(ctx, secret, &length) == 1 && length == sizeof secret;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    /* RFC 7748 section 6.1: an all-zero result tells a point of small order. */
    if (!agreed)
        sz_panic(TEE_ERROR_SECURITY, "X25519 with a point of small order");
    memcpy(derivedKey->value, secret, sizeof secret);
    OPENSSL_cleanse(secret, sizeof secret);
    derivedKey->length = sizeof secret;
    derivedKey->bits = 256;
    derivedKey->flags |= TEE_HANDLE_FLAG_INITIALIZED;
}
