#include "sealed_object.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "operation.h"

#define NONCE 12u
#define TAG 16u
#define HEAD (4u + 4u + NONCE)
#define INNER 8u /* type, length of the identifier */

static const uint8_t magic[8] = {'S', 'Z', 'T', 'O', 1, 0, 0, 0};

static void storage_key(uint8_t key[32])
{
    static const char label[] = "storage key";
    const TEE_UUID uuid = sz_tee()->config.uuid;
    uint8_t message[sizeof label + sizeof uuid];

    memcpy(message, label, sizeof label);
    memcpy(message + sizeof label, &uuid, sizeof uuid);
    sz_hmac(sz_tee()->config.huk, SZ_SOFT_HUK_SIZE, message, sizeof message, key);
}

void sz_object_name(const uint8_t *id, size_t id_size, uint8_t name[SZ_STORAGE_NAME_SIZE])
{
    uint8_t key[32], message[4 + TEE_OBJECT_ID_MAX_LEN] = {'n', 'a', 'm', 'e'};

    memcpy(message + 4, id, id_size);
    storage_key(key);
    sz_hmac(key, sizeof key, message, 4 + id_size, name);
    OPENSSL_cleanse(key, sizeof key);
}

/* Both directions: from `from` to `to`, `tag` written or checked. Returns 0 if libcrypto or the tag says no.
 */
static int gcm(int encrypt, const uint8_t *id, size_t id_size, const uint8_t *nonce, const uint8_t *from,
               size_t size, uint8_t *to, uint8_t tag[TAG])
{
    const TEE_UUID uuid = sz_tee()->config.uuid;
    uint8_t aad[sizeof magic + sizeof uuid + SZ_STORAGE_NAME_SIZE], key[32];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int length, good;

    memcpy(aad, magic, sizeof magic);
    memcpy(aad + sizeof magic, &uuid, sizeof uuid);
    sz_object_name(id, id_size, aad + sizeof magic + sizeof uuid);
    storage_key(key);
    good = ctx && EVP_CipherInit_ex2(ctx, sz_evp()->aes_gcm[2], key, nonce, encrypt, NULL) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &length, aad, (int)sizeof aad) == 1 &&
           EVP_CipherUpdate(ctx, to, &length, from, (int)size) == 1 &&
           (encrypt || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1) &&
           EVP_CipherFinal_ex(ctx, to + size, &length) == 1 &&
           (!encrypt || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1);
    EVP_CIPHER_CTX_free(ctx);
    OPENSSL_cleanse(key, sizeof key);
    return good;
}

static void put32(uint8_t *to, uint32_t n)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(n >> (8 * i));
}

static uint32_t get32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

TEE_Result sz_object_seal(const uint8_t *id, size_t id_size, const uint8_t *data, size_t size, uint8_t **blob,
                          size_t *blob_size)
{
    size_t inner = INNER + id_size + size;
    uint8_t *plain, *out;
    int good;

    if (size > SZ_STORAGE_MAX_SIZE - SZ_SEALED_OVERHEAD)
        return TEE_ERROR_STORAGE_NO_SPACE;
    plain = malloc(inner);
    out = malloc(HEAD + inner + TAG);
    if (!plain || !out) {
        free(plain);
        free(out);
        return TEE_ERROR_OUT_OF_MEMORY;
    }
    put32(plain, TEE_TYPE_DATA);
    put32(plain + 4, (uint32_t)id_size);
    memcpy(plain + INNER, id, id_size);
    if (size)
        memcpy(plain + INNER + id_size, data, size);
    memcpy(out, magic, sizeof magic);
    TEE_GenerateRandom(out + sizeof magic, NONCE);
    good = gcm(1, id, id_size, out + sizeof magic, plain, inner, out + HEAD, out + HEAD + inner);
    OPENSSL_cleanse(plain, inner);
    free(plain);
    if (!good)
        sz_panic(TEE_ERROR_GENERIC, "AES-GCM failed");
    *blob = out;
    *blob_size = HEAD + inner + TAG;
    return TEE_SUCCESS;
}

TEE_Result sz_object_open(const uint8_t *id, size_t id_size, const uint8_t *blob, size_t blob_size,
                          uint8_t **data, size_t *size)
{
    size_t inner;
    uint8_t *plain;
    uint8_t tag[TAG];

    if (blob_size < HEAD + INNER + id_size + TAG || blob_size > SZ_STORAGE_MAX_SIZE ||
        memcmp(blob, magic, sizeof magic) != 0)
        return TEE_ERROR_CORRUPT_OBJECT;
    inner = blob_size - HEAD - TAG;
    plain = malloc(inner);
    if (!plain)
        return TEE_ERROR_OUT_OF_MEMORY;
    memcpy(tag, blob + HEAD + inner, TAG);
    if (!gcm(0, id, id_size, blob + sizeof magic, blob + HEAD, inner, plain, tag) ||
        get32(plain) != TEE_TYPE_DATA || get32(plain + 4) != id_size ||
        memcmp(plain + INNER, id, id_size) != 0) {
        OPENSSL_cleanse(plain, inner);
        free(plain);
        return TEE_ERROR_CORRUPT_OBJECT;
    }
    *size = inner - INNER - id_size;
    memmove(plain, plain + INNER + id_size, *size);
    *data = plain;
    return TEE_SUCCESS;
}
