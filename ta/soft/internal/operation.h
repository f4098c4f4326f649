/* Operations: what the TA holds (in its own heap, as libutee's) and the core's state behind it. */
#ifndef SZ_OPERATION_H
#define SZ_OPERATION_H

#include <openssl/evp.h>

#include "object.h"

#define SZ_STATE_INITIAL 0u
#define SZ_STATE_ACTIVE 1u

/* The core's part. libcrypto's contexts are made once and used again, so that a record costs no provider
 * look-up. */
struct sz_core_state {
    size_t charged;
    EVP_CIPHER_CTX *cipher; /* AES-GCM */
    EVP_MD_CTX *digest;
    EVP_MAC_CTX *mac;
    EVP_PKEY *key; /* of key1, for signatures and agreement */
};

struct __TEE_OperationHandle {
    TEE_OperationInfo info;
    uint32_t state; /* SZ_STATE_* */
    TEE_ObjectHandle key1;
    struct sz_core_state *core;
};

/* Algorithms of libcrypto, looked up once in the process. */
struct sz_evp {
    EVP_CIPHER *aes_gcm[3]; /* 128, 192, 256 bits */
    EVP_MD *sha256;
    EVP_MAC *hmac;
};
const struct sz_evp *sz_evp(void);

/* Panics unless `operation` is of this class. */
void sz_operation_check(TEE_OperationHandle operation, uint32_t operation_class);
/* Panics unless it was initialised (TEE_AEInit, TEE_MACInit). */
void sz_operation_check_initialized(TEE_OperationHandle operation);
void sz_digest_restart(TEE_OperationHandle operation);

#endif
