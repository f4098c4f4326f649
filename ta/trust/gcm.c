/* AES-128-GCM. Memory shared with Linux is copied once, piece by piece; only the copy is hashed and
 * decrypted. */
#include "trust/crypto.h"
#include "trust/crypto_internal.h"

#include <string.h>

enum { BOUNCE_SIZE = 4096 };

static uint8_t bounce[BOUNCE_SIZE];
static uint8_t unwanted[BOUNCE_SIZE]; /* plaintext that nobody asked for */

static bool begin(TEE_OperationHandle operation, const uint8_t *key, const uint8_t *nonce,
                  struct sz_bytes aad, size_t payload)
{
    TEE_Attribute secret;
    bool ready;
    TEE_ResetTransientObject(sz_crypto.aes_key);
    TEE_InitRefAttribute(&secret, TEE_ATTR_SECRET_VALUE, key, SZ_AES_KEY_SIZE);
    sz_crypto_reset(operation);
    ready = TEE_PopulateTransientObject(sz_crypto.aes_key, &secret, 1) == TEE_SUCCESS &&
            TEE_SetOperationKey(operation, sz_crypto.aes_key) == TEE_SUCCESS &&
            TEE_AEInit(operation, nonce, SZ_NONCE_SIZE, SZ_TAG_SIZE * 8, aad.length, payload) == TEE_SUCCESS;
    TEE_ResetTransientObject(sz_crypto.aes_key);
    if (ready && aad.length > 0) {
        TEE_AEUpdateAAD(operation, aad.at, aad.length);
    }
    return ready;
}

enum sz_code sz_gcm_seal(const uint8_t key[SZ_AES_KEY_SIZE], const uint8_t nonce[SZ_NONCE_SIZE],
                         struct sz_bytes aad, struct sz_bytes plaintext, uint8_t *ciphertext,
                         uint8_t tag[SZ_TAG_SIZE])
{
    size_t written = plaintext.length, tag_length = SZ_TAG_SIZE;
    const bool sealed = begin(sz_crypto.gcm_encrypt, key, nonce, aad, plaintext.length) &&
                        TEE_AEEncryptFinal(sz_crypto.gcm_encrypt, plaintext.at, plaintext.length, ciphertext,
                                           &written, tag, &tag_length) == TEE_SUCCESS &&
                        written == plaintext.length && tag_length == SZ_TAG_SIZE;
    sz_crypto_forget(sz_crypto.gcm_encrypt);
    return sealed ? SZ_OK : SZ_CRYPTO_FAILED;
}

enum sz_code sz_gcm_open(const uint8_t key[SZ_AES_KEY_SIZE], const uint8_t nonce[SZ_NONCE_SIZE],
                         struct sz_bytes aad, struct sz_bytes ciphertext, const uint8_t tag[SZ_TAG_SIZE],
                         uint8_t *out)
{
    size_t written = ciphertext.length;
    uint8_t expected[SZ_TAG_SIZE];
    TEE_Result result;
    if (!begin(sz_crypto.gcm_decrypt, key, nonce, aad, ciphertext.length)) {
        return SZ_CRYPTO_FAILED;
    }
    memcpy(expected, tag, sizeof expected);
    result = TEE_AEDecryptFinal(sz_crypto.gcm_decrypt, ciphertext.at, ciphertext.length, out, &written,
                                expected, SZ_TAG_SIZE);
    sz_crypto_forget(sz_crypto.gcm_decrypt);
    if (result == TEE_SUCCESS && written == ciphertext.length) {
        return SZ_OK;
    }
    sz_wipe(out, ciphertext.length);
    return result == TEE_ERROR_MAC_INVALID ? SZ_BAD_TAG : SZ_CRYPTO_FAILED;
}

/* The only reads of shared memory: one, byte for byte, into secure memory. */
static void copy_in(uint8_t *to, const volatile uint8_t *from, size_t length)
{
    TEE_MemMove(to, (const void *)(uintptr_t)from, length);
}

enum sz_code sz_gcm_open_shared(const uint8_t key[SZ_AES_KEY_SIZE], const uint8_t nonce[SZ_NONCE_SIZE],
                                struct sz_bytes aad, const volatile uint8_t *shared, size_t length,
                                uint8_t *out, uint8_t digest[SZ_SHA256_SIZE], uint8_t tag[SZ_TAG_SIZE])
{
    uint8_t expected[SZ_TAG_SIZE];
    enum sz_code code = SZ_OK;
    size_t done = 0, body, last;
    if (length < SZ_TAG_SIZE) {
        return SZ_TRUNCATED;
    }
    body = length - SZ_TAG_SIZE;
    if (!begin(sz_crypto.gcm_decrypt, key, nonce, aad, body)) {
        return SZ_CRYPTO_FAILED;
    }
    if (digest != NULL) {
        sz_sha256_begin();
    }
    while (done < body && code == SZ_OK) {
        const size_t piece = body - done < BOUNCE_SIZE ? body - done : BOUNCE_SIZE;
        size_t written = piece;
        copy_in(bounce, shared + done, piece);
        if (digest != NULL) {
            sz_sha256_update(SZ_BYTES(bounce, piece));
        }
        if (TEE_AEUpdate(sz_crypto.gcm_decrypt, bounce, piece, out != NULL ? out + done : unwanted,
                         &written) != TEE_SUCCESS ||
            written != piece) {
            code = SZ_CRYPTO_FAILED;
        }
        done += piece;
    }
    copy_in(expected, shared + body, SZ_TAG_SIZE);
    last = 0;
    if (code == SZ_OK) {
        const TEE_Result result =
            TEE_AEDecryptFinal(sz_crypto.gcm_decrypt, bounce, 0, out != NULL ? out + body : unwanted, &last,
                               expected, SZ_TAG_SIZE);
        code = result == TEE_SUCCESS             ? SZ_OK
               : result == TEE_ERROR_MAC_INVALID ? SZ_BAD_TAG
                                                 : SZ_CRYPTO_FAILED;
    }
    sz_crypto_forget(sz_crypto.gcm_decrypt);
    if (digest != NULL) {
        sz_sha256_update(SZ_BYTES(expected, SZ_TAG_SIZE));
        if (sz_sha256_end(digest) != SZ_OK) {
            code = SZ_CRYPTO_FAILED;
        }
    }
    if (tag != NULL) {
        memcpy(tag, expected, SZ_TAG_SIZE);
    }
    if (out == NULL) {
        sz_wipe(unwanted, sizeof unwanted);
    } else if (code != SZ_OK) {
        sz_wipe(out, body);
    }
    return code;
}
