#include <openssl/core_names.h>
#include <openssl/crypto.h>

#include "operation.h"

const struct sz_evp *sz_evp(void)
{
    static struct sz_evp evp;

    if (evp.sha256)
        return &evp;
    /* No configuration file: what the machine's openssl.cnf says must not change what the TA computes. */
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
    evp.aes_gcm[0] = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    evp.aes_gcm[1] = EVP_CIPHER_fetch(NULL, "AES-192-GCM", NULL);
    evp.aes_gcm[2] = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    evp.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    evp.sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    if (!evp.aes_gcm[0] || !evp.aes_gcm[1] || !evp.aes_gcm[2] || !evp.hmac || !evp.sha256)
        sz_panic(TEE_ERROR_GENERIC, "libcrypto lacks an algorithm");
    return &evp;
}

void sz_hmac(const uint8_t *key, size_t key_size, const uint8_t *data, size_t size, uint8_t mac[32])
{
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(sz_evp()->hmac);
    char name[] = "SHA2-256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                 OSSL_PARAM_construct_end()};
    size_t length = 0;

    if (!ctx || EVP_MAC_init(ctx, key, key_size, params) != 1 || EVP_MAC_update(ctx, data, size) != 1 ||
        EVP_MAC_final(ctx, mac, &length, 32) != 1 || length != 32)
        sz_panic(TEE_ERROR_GENERIC, "HMAC failed");
    EVP_MAC_CTX_free(ctx);
}
