/* Ed25519 and X25519. But for the device's own signing key, key objects and operations live only as long as
 * the call. */
#include "trust/crypto.h"
#include "trust/crypto_internal.h"

#include <string.h>

static bool read_attribute(TEE_ObjectHandle object, uint32_t attribute, uint8_t out[SZ_KEY_SIZE])
{
    size_t length = SZ_KEY_SIZE;
    memset(out, 0, SZ_KEY_SIZE);
    return TEE_GetObjectBufferAttribute(object, attribute, out, &length) == TEE_SUCCESS &&
           length == SZ_KEY_SIZE;
}

static enum sz_code generate(uint32_t type, uint32_t private_id, uint32_t public_id,
                             uint8_t private_key[SZ_KEY_SIZE], uint8_t public_key[SZ_KEY_SIZE])
{
    TEE_ObjectHandle pair = TEE_HANDLE_NULL;
    bool made;
    if (TEE_AllocateTransientObject(type, 256, &pair) != TEE_SUCCESS) {
        return SZ_CRYPTO_FAILED;
    }
    made = TEE_GenerateKey(pair, 256, NULL, 0) == TEE_SUCCESS &&
           read_attribute(pair, private_id, private_key) && read_attribute(pair, public_id, public_key);
    TEE_FreeTransientObject(pair);
    return made ? SZ_OK : SZ_CRYPTO_FAILED;
}

enum sz_code sz_ed25519_generate(uint8_t seed[SZ_KEY_SIZE], uint8_t public_key[SZ_KEY_SIZE])
{
    return generate(TEE_TYPE_ED25519_KEYPAIR, TEE_ATTR_ED25519_PRIVATE_VALUE, TEE_ATTR_ED25519_PUBLIC_VALUE,
                    seed, public_key);
}

enum sz_code sz_x25519_generate(uint8_t private_key[SZ_KEY_SIZE], uint8_t public_key[SZ_KEY_SIZE])
{
    return generate(TEE_TYPE_X25519_KEYPAIR, TEE_ATTR_X25519_PRIVATE_VALUE, TEE_ATTR_X25519_PUBLIC_VALUE,
                    private_key, public_key);
}

/* An operation with a key made from these attributes. The caller frees both. */
static bool with_key(uint32_t algorithm, uint32_t mode, uint32_t type, const TEE_Attribute *attributes,
                     uint32_t count, TEE_ObjectHandle *key, TEE_OperationHandle *operation)
{
    *key = TEE_HANDLE_NULL;
    *operation = TEE_HANDLE_NULL;
    return TEE_AllocateTransientObject(type, 256, key) == TEE_SUCCESS &&
           TEE_PopulateTransientObject(*key, attributes, count) == TEE_SUCCESS &&
           TEE_AllocateOperation(operation, algorithm, mode, 256) == TEE_SUCCESS &&
           TEE_SetOperationKey(*operation, *key) == TEE_SUCCESS;
}

/* Public key of the key in sz_crypto.sign; says something only while that has one. */
static uint8_t signer[SZ_KEY_SIZE];

static bool signs_for(const uint8_t public_key[SZ_KEY_SIZE])
{
    TEE_OperationInfo info;
    TEE_GetOperationInfo(sz_crypto.sign, &info);
    return (info.handleState & TEE_HANDLE_FLAG_KEY_SET) != 0 && sz_equal(signer, public_key, SZ_KEY_SIZE);
}

static bool set_signer(const uint8_t seed[SZ_KEY_SIZE], const uint8_t public_key[SZ_KEY_SIZE])
{
    TEE_Attribute attributes[2];
    TEE_ObjectHandle key = TEE_HANDLE_NULL;
    bool set;
    TEE_InitRefAttribute(&attributes[0], TEE_ATTR_ED25519_PRIVATE_VALUE, seed, SZ_KEY_SIZE);
    TEE_InitRefAttribute(&attributes[1], TEE_ATTR_ED25519_PUBLIC_VALUE, public_key, SZ_KEY_SIZE);
    sz_ed25519_forget();
    set = TEE_AllocateTransientObject(TEE_TYPE_ED25519_KEYPAIR, 256, &key) == TEE_SUCCESS &&
          TEE_PopulateTransientObject(key, attributes, 2) == TEE_SUCCESS &&
          TEE_SetOperationKey(sz_crypto.sign, key) == TEE_SUCCESS;
    TEE_FreeTransientObject(key);
    memcpy(signer, public_key, sizeof signer);
    return set;
}

enum sz_code sz_ed25519_sign(const uint8_t seed[SZ_KEY_SIZE], const uint8_t public_key[SZ_KEY_SIZE],
                             struct sz_bytes message, uint8_t signature[SZ_SIGNATURE_SIZE])
{
    size_t length = SZ_SIGNATURE_SIZE;
    return (signs_for(public_key) || set_signer(seed, public_key)) &&
                   TEE_AsymmetricSignDigest(sz_crypto.sign, NULL, 0, message.at, message.length, signature,
                                            &length) == TEE_SUCCESS &&
                   length == SZ_SIGNATURE_SIZE
               ? SZ_OK
               : SZ_CRYPTO_FAILED;
}

void sz_ed25519_forget(void)
{
    sz_crypto_forget(sz_crypto.sign);
    sz_wipe(signer, sizeof signer);
}

/* RFC 8032, section 5.1.7: S must be below the group order L, or a signature could be given another form. */
static bool scalar_is_reduced(const uint8_t s[32])
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                      0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                      0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    for (size_t i = 32; i-- > 0;) {
        if (s[i] != order[i]) {
            return s[i] < order[i];
        }
    }
    return false;
}

enum sz_code sz_ed25519_verify(const uint8_t public_key[SZ_KEY_SIZE], struct sz_bytes message,
                               const uint8_t signature[SZ_SIGNATURE_SIZE])
{
    TEE_Attribute attribute;
    TEE_ObjectHandle key;
    TEE_OperationHandle operation;
    enum sz_code code = SZ_CRYPTO_FAILED;
    if (!scalar_is_reduced(signature + 32)) {
        return SZ_BAD_SIGNATURE;
    }
    TEE_InitRefAttribute(&attribute, TEE_ATTR_ED25519_PUBLIC_VALUE, public_key, SZ_KEY_SIZE);
    if (with_key(TEE_ALG_ED25519, TEE_MODE_VERIFY, TEE_TYPE_ED25519_PUBLIC_KEY, &attribute, 1, &key,
                 &operation)) {
        code = TEE_AsymmetricVerifyDigest(operation, NULL, 0, message.at, message.length, signature,
                                          SZ_SIGNATURE_SIZE) == TEE_SUCCESS
                   ? SZ_OK
                   : SZ_BAD_SIGNATURE;
    }
    TEE_FreeOperation(operation);
    TEE_FreeTransientObject(key);
    return code;
}

bool sz_x25519_acceptable(const uint8_t public_key[SZ_KEY_SIZE])
{
    /* p = 2^255 - 19; the small-order u coordinates below p, little-endian (RFC 7748, section 6.1; the
     * order-8 values are those of curve25519). Others in 0..2^255-1 are these plus p. */
    static const uint8_t refused[][SZ_KEY_SIZE] = {
        {0},
        {1},
        {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
         0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
        {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
         0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    };
    uint8_t reduced[SZ_KEY_SIZE];
    bool all_ones = true;
    memcpy(reduced, public_key, SZ_KEY_SIZE);
    reduced[31] &= 0x7f;
    for (size_t i = 1; i < 31; i++) {
        all_ones = all_ones && reduced[i] == 0xff;
    }
    if (all_ones && reduced[31] == 0x7f && reduced[0] >= 0xed) { /* p..2^255-1 are 0..18 */
        const uint8_t low = (uint8_t)(reduced[0] - 0xed);
        memset(reduced, 0, sizeof reduced);
        reduced[0] = low;
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (memcmp(reduced, refused[i], SZ_KEY_SIZE) == 0) {
            return false;
        }
    }
    return true;
}

enum sz_code sz_x25519_agree(const uint8_t private_key[SZ_KEY_SIZE], const uint8_t own_public[SZ_KEY_SIZE],
                             const uint8_t public_key[SZ_KEY_SIZE], uint8_t shared[SZ_KEY_SIZE])
{
    static const uint8_t zero[SZ_KEY_SIZE];
    TEE_Attribute attributes[2], peer;
    TEE_ObjectHandle key, secret = TEE_HANDLE_NULL;
    TEE_OperationHandle operation;
    enum sz_code code = SZ_CRYPTO_FAILED;
    if (!sz_x25519_acceptable(public_key)) {
        sz_wipe(shared, SZ_KEY_SIZE);
        return SZ_BAD_KEY;
    }
    TEE_InitRefAttribute(&attributes[0], TEE_ATTR_X25519_PRIVATE_VALUE, private_key, SZ_KEY_SIZE);
    TEE_InitRefAttribute(&attributes[1], TEE_ATTR_X25519_PUBLIC_VALUE, own_public, SZ_KEY_SIZE);
    TEE_InitRefAttribute(&peer, TEE_ATTR_X25519_PUBLIC_VALUE, public_key, SZ_KEY_SIZE);
    if (with_key(TEE_ALG_X25519, TEE_MODE_DERIVE, TEE_TYPE_X25519_KEYPAIR, attributes, 2, &key, &operation) &&
        TEE_AllocateTransientObject(TEE_TYPE_GENERIC_SECRET, 256, &secret) == TEE_SUCCESS) {
        TEE_DeriveKey(operation, &peer, 1, secret);
        if (read_attribute(secret, TEE_ATTR_SECRET_VALUE, shared)) {
            code = sz_equal(shared, zero, SZ_KEY_SIZE) ? SZ_BAD_KEY : SZ_OK;
        }
    }
    TEE_FreeOperation(operation);
    TEE_FreeTransientObject(key);
    TEE_FreeTransientObject(secret);
    if (code != SZ_OK) {
        sz_wipe(shared, SZ_KEY_SIZE);
    }
    return code;
}
