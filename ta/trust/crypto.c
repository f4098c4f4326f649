/* Handles, hashing and key derivation. */
#include "trust/crypto.h"
#include "trust/crypto_internal.h"

#include <string.h>

struct sz_crypto_handles sz_crypto;

enum { HMAC_BLOCK = 64 };

enum sz_code sz_crypto_init(void)
{
    struct sz_crypto_handles *const h = &sz_crypto;
    const bool made =
        TEE_AllocateOperation(&h->sha256, TEE_ALG_SHA256, TEE_MODE_DIGEST, 0) == TEE_SUCCESS &&
        TEE_AllocateOperation(&h->hmac, TEE_ALG_HMAC_SHA256, TEE_MODE_MAC, HMAC_BLOCK * 8) == TEE_SUCCESS &&
        TEE_AllocateOperation(&h->gcm_encrypt, TEE_ALG_AES_GCM, TEE_MODE_ENCRYPT, 128) == TEE_SUCCESS &&
        TEE_AllocateOperation(&h->gcm_decrypt, TEE_ALG_AES_GCM, TEE_MODE_DECRYPT, 128) == TEE_SUCCESS &&
        TEE_AllocateTransientObject(TEE_TYPE_HMAC_SHA256, HMAC_BLOCK * 8, &h->hmac_key) == TEE_SUCCESS &&
        TEE_AllocateTransientObject(TEE_TYPE_AES, 128, &h->aes_key) == TEE_SUCCESS &&
        TEE_AllocateOperation(&h->sign, TEE_ALG_ED25519, TEE_MODE_SIGN, SZ_KEY_SIZE * 8) == TEE_SUCCESS;
    if (!made) {
        sz_crypto_release();
        return SZ_CRYPTO_FAILED;
    }
    return SZ_OK;
}

void sz_crypto_release(void)
{
    TEE_FreeOperation(sz_crypto.sha256);
    TEE_FreeOperation(sz_crypto.hmac);
    TEE_FreeOperation(sz_crypto.gcm_encrypt);
    TEE_FreeOperation(sz_crypto.gcm_decrypt);
    TEE_FreeTransientObject(sz_crypto.hmac_key);
    TEE_FreeTransientObject(sz_crypto.aes_key);
    if (sz_crypto.sign != TEE_HANDLE_NULL) {
        sz_ed25519_forget();
    }
    TEE_FreeOperation(sz_crypto.sign);
    sz_crypto = (struct sz_crypto_handles){0};
}

void sz_crypto_reset(TEE_OperationHandle operation)
{
    TEE_OperationInfo info;
    TEE_GetOperationInfo(operation, &info);
    if ((info.handleState & TEE_HANDLE_FLAG_KEY_SET) != 0) {
        TEE_ResetOperation(operation);
    }
}

void sz_crypto_forget(TEE_OperationHandle operation)
{
    sz_crypto_reset(operation);
    (void)TEE_SetOperationKey(operation, TEE_HANDLE_NULL);
}

void sz_wipe(void *secret, size_t length)
{
    volatile uint8_t *at = secret;
    while (length-- > 0) {
        *at++ = 0;
    }
}

bool sz_equal(const void *a, const void *b, size_t length)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < length; i++) {
        difference = (uint8_t)(difference | (x[i] ^ y[i]));
    }
    return difference == 0;
}

void sz_random(void *out, size_t length)
{
    TEE_GenerateRandom(out, length);
}

void sz_sha256_begin(void)
{
    TEE_ResetOperation(sz_crypto.sha256);
}

void sz_sha256_update(struct sz_bytes piece)
{
    if (piece.length > 0) {
        TEE_DigestUpdate(sz_crypto.sha256, piece.at, piece.length);
    }
}

enum sz_code sz_sha256_end(uint8_t out[SZ_SHA256_SIZE])
{
    size_t length = SZ_SHA256_SIZE;
    return TEE_DigestDoFinal(sz_crypto.sha256, NULL, 0, out, &length) == TEE_SUCCESS &&
                   length == SZ_SHA256_SIZE
               ? SZ_OK
               : SZ_CRYPTO_FAILED;
}

enum sz_code sz_sha256(struct sz_bytes message, uint8_t out[SZ_SHA256_SIZE])
{
    sz_sha256_begin();
    sz_sha256_update(message);
    return sz_sha256_end(out);
}

enum sz_code sz_hmac_sha256(struct sz_bytes key, const struct sz_bytes *pieces, size_t count,
                            uint8_t out[SZ_SHA256_SIZE])
{
    uint8_t padded[HMAC_BLOCK] = {0};
    TEE_Attribute secret;
    size_t length = SZ_SHA256_SIZE;
    enum sz_code code = SZ_CRYPTO_FAILED;
    if (key.length > HMAC_BLOCK) { /* a longer key stands for its hash (RFC 2104, section 2) */
        if (sz_sha256(key, padded) != SZ_OK) {
            return SZ_CRYPTO_FAILED;
        }
        key.length = SZ_SHA256_SIZE;
    } else if (key.length > 0) {
        memcpy(padded, key.at, key.length);
    }
    TEE_ResetTransientObject(sz_crypto.hmac_key);
    TEE_InitRefAttribute(&secret, TEE_ATTR_SECRET_VALUE, padded, key.length < 32 ? 32 : key.length);
    if (TEE_PopulateTransientObject(sz_crypto.hmac_key, &secret, 1) == TEE_SUCCESS) {
        sz_crypto_reset(sz_crypto.hmac);
        if (TEE_SetOperationKey(sz_crypto.hmac, sz_crypto.hmac_key) == TEE_SUCCESS) {
            TEE_MACInit(sz_crypto.hmac, NULL, 0);
            for (size_t i = 0; i < count; i++) {
                if (pieces[i].length > 0) {
                    TEE_MACUpdate(sz_crypto.hmac, pieces[i].at, pieces[i].length);
                }
            }
            if (TEE_MACComputeFinal(sz_crypto.hmac, NULL, 0, out, &length) == TEE_SUCCESS) {
                code = SZ_OK;
            }
        }
    }
    sz_crypto_forget(sz_crypto.hmac);
    TEE_ResetTransientObject(sz_crypto.hmac_key);
    sz_wipe(padded, sizeof padded);
    return code;
}

enum sz_code sz_hkdf_extract(struct sz_bytes salt, const struct sz_bytes *ikm, size_t count,
                             uint8_t prk[SZ_SHA256_SIZE])
{
    return sz_hmac_sha256(salt, ikm, count, prk);
}

enum sz_code sz_hkdf_expand(struct sz_bytes prk, const struct sz_bytes *info, size_t count, uint8_t *out,
                            size_t length)
{
    struct sz_bytes pieces[10];
    uint8_t block[SZ_SHA256_SIZE];
    uint8_t number = 0;
    size_t done = 0;
    enum sz_code code = SZ_OK;
    if (count > 8 || length > 255 * SZ_SHA256_SIZE) {
        return SZ_CRYPTO_FAILED;
    }
    while (done < length && code == SZ_OK) {
        size_t n = 0;
        if (number > 0) {
            pieces[n++] = SZ_BYTES(block, sizeof block);
        }
        for (size_t i = 0; i < count; i++) {
            pieces[n++] = info[i];
        }
        number++;
        pieces[n++] = SZ_BYTES(&number, 1);
        code = sz_hmac_sha256(prk, pieces, n, block);
        if (code == SZ_OK) {
            const size_t piece = length - done < sizeof block ? length - done : sizeof block;
            memcpy(out + done, block, piece);
            done += piece;
        }
    }
    sz_wipe(block, sizeof block);
    if (code != SZ_OK) {
        sz_wipe(out, length);
    }
    return code;
}
