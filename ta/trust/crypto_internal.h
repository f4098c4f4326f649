/* Handles shared by the parts of the crypto wrapper, made once by sz_crypto_init(). */
#ifndef SZ_CRYPTO_INTERNAL_H
#define SZ_CRYPTO_INTERNAL_H

#include <tee_internal_api.h>

struct sz_crypto_handles {
    TEE_OperationHandle sha256;
    TEE_OperationHandle hmac;
    TEE_OperationHandle gcm_encrypt;
    TEE_OperationHandle gcm_decrypt;
    TEE_ObjectHandle hmac_key;
    TEE_ObjectHandle aes_key;
    TEE_OperationHandle sign; /* keeps the key of the last signature: see sz_ed25519_forget() */
};

extern struct sz_crypto_handles sz_crypto;

/* Makes an operation ready for another key. TEE_ResetOperation() panics on one that never had a key. */
void sz_crypto_reset(TEE_OperationHandle operation);

/* Takes the key out of an operation that is over, so that it does not stay in the core until the next one. */
void sz_crypto_forget(TEE_OperationHandle operation);

#endif
