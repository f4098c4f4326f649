/* The internal API in one process: published vectors, and failing the way OP-TEE 4.10 fails (measured under
 * QEMU). Every panic is caught here and counted as a result. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal/soft_tee.h"
#include "tee_internal_api_extensions.h"

static int failures, checks;
static jmp_buf panicked;
static TEE_Result panic_code;

static void on_panic(TEE_Result code, const char *reason)
{
    (void)reason;
    panic_code = code;
    longjmp(panicked, 1);
}

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        checks++;                                                                                            \
        if (!(condition)) {                                                                                  \
            failures++;                                                                                      \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
        }                                                                                                    \
    } while (0)

#define CHECK_PANICS(code, statement)                                                                        \
    do {                                                                                                     \
        checks++;                                                                                            \
        if (setjmp(panicked) == 0) {                                                                         \
            statement;                                                                                       \
            failures++;                                                                                      \
            fprintf(stderr, "%s:%d: no panic: %s\n", __FILE__, __LINE__, #statement);                        \
        } else if (panic_code != (code)) {                                                                   \
            failures++;                                                                                      \
            fprintf(stderr, "%s:%d: panic 0x%08x\n", __FILE__, __LINE__, panic_code);                        \
        }                                                                                                    \
    } while (0)

static void start(void)
{
    struct sz_soft_tee_config config;

    sz_soft_tee_defaults(&config);
    config.panic = on_panic;
    sz_storage_in_memory_clear();
    CHECK(sz_soft_tee_start(&config) == TEE_SUCCESS);
}

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    unsigned byte;

    while (sscanf(hex + 2 * n, "%2x", &byte) == 1)
        out[n++] = (uint8_t)byte;
    return n;
}

static int is(const uint8_t *bytes, size_t size, const char *hex)
{
    uint8_t expected[256];

    return unhex(hex, expected) == size && memcmp(bytes, expected, size) == 0;
}

static TEE_ObjectHandle key_object(uint32_t type, uint32_t bits, const void *key, size_t size)
{
    TEE_ObjectHandle object = NULL;
    TEE_Attribute attribute;

    CHECK(TEE_AllocateTransientObject(type, bits, &object) == TEE_SUCCESS);
    TEE_InitRefAttribute(&attribute, TEE_ATTR_SECRET_VALUE, key, size);
    CHECK(TEE_PopulateTransientObject(object, &attribute, 1) == TEE_SUCCESS);
    return object;
}

static void digests(void)
{
    TEE_OperationHandle op;
    uint8_t hash[32];
    size_t length = 31;

    CHECK(TEE_AllocateOperation(&op, TEE_ALG_SHA256, TEE_MODE_DIGEST, 0) == TEE_SUCCESS);
    CHECK(TEE_DigestDoFinal(op, "abc", 3, hash, &length) == TEE_ERROR_SHORT_BUFFER && length == 32);
    for (int again = 0; again < 2; again++) { /* FIPS 180-2 appendix B.1 */
        TEE_DigestUpdate(op, "a", 1);
        CHECK(TEE_DigestDoFinal(op, "bc", 2, hash, &length) == TEE_SUCCESS);
        CHECK(is(hash, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    }
    CHECK_PANICS(TEE_ERROR_BAD_PARAMETERS, TEE_MACInit(op, NULL, 0));
    TEE_FreeOperation(op);
}

static void macs(void)
{
    TEE_OperationHandle op;
    TEE_ObjectHandle key;
    TEE_Attribute attribute;
    uint8_t secret[32] = {0}, mac[32];
    size_t length = 32;

    /* RFC 4231 test case 1: a key of 20 bytes, refused as such, is the same key with zeros behind it. */
    memset(secret, 0x0b, 20);
    CHECK(TEE_AllocateTransientObject(TEE_TYPE_HMAC_SHA256, 256, &key) == TEE_SUCCESS);
    TEE_InitRefAttribute(&attribute, TEE_ATTR_SECRET_VALUE, secret, 20);
    CHECK(TEE_PopulateTransientObject(key, &attribute, 1) == TEE_ERROR_BAD_PARAMETERS);
    TEE_FreeTransientObject(key);
    key = key_object(TEE_TYPE_HMAC_SHA256, 256, secret, 32);
    CHECK(TEE_AllocateOperation(&op, TEE_ALG_HMAC_SHA256, TEE_MODE_MAC, 256) == TEE_SUCCESS);
    CHECK_PANICS(TEE_SUCCESS, TEE_MACInit(op, NULL, 0));
    CHECK(TEE_SetOperationKey(op, key) == TEE_SUCCESS);
    CHECK_PANICS(TEE_ERROR_BAD_PARAMETERS, TEE_MACUpdate(op, "x", 1));
    for (int again = 0; again < 2; again++) {
        TEE_MACInit(op, NULL, 0);
        TEE_MACUpdate(op, "Hi ", 3);
        CHECK(TEE_MACComputeFinal(op, "There", 5, mac, &length) == TEE_SUCCESS && length == 32);
        CHECK(is(mac, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    }
    TEE_MACInit(op, NULL, 0);
    CHECK(TEE_MACCompareFinal(op, "Hi There", 8, mac, 32) == TEE_SUCCESS);
    mac[0] ^= 1;
    TEE_MACInit(op, NULL, 0);
    CHECK(TEE_MACCompareFinal(op, "Hi There", 8, mac, 32) == TEE_ERROR_MAC_INVALID);
    TEE_FreeOperation(op);
    TEE_FreeTransientObject(key);
    CHECK_PANICS(TEE_ERROR_BAD_PARAMETERS, TEE_FreeTransientObject(key));
}

static void authenticated_encryption(void)
{
    /* GCM specification (McGrew, Viega), test case 4 */
    uint8_t k[16], iv[12], aad[20], plain[60], cipher[60], out[60], tag[16];
    size_t length = sizeof out, tag_length = 16, part;
    TEE_OperationHandle enc, dec;
    TEE_ObjectHandle key;

    unhex("feffe9928665731c6d6a8f9467308308", k);
    unhex("cafebabefacedbaddecaf888", iv);
    unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
    unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b1"
          "6aedf5aa0de6"
          "57ba637b39",
          plain);
    key = key_object(TEE_TYPE_AES, 128, k, 16);
    CHECK(TEE_AllocateOperation(&enc, TEE_ALG_AES_GCM, TEE_MODE_ENCRYPT, 128) == TEE_SUCCESS);
    CHECK(TEE_AllocateOperation(&dec, TEE_ALG_AES_GCM, TEE_MODE_DECRYPT, 128) == TEE_SUCCESS);
    CHECK_PANICS(TEE_ERROR_BAD_PARAMETERS, TEE_AEInit(enc, iv, 12, 128, 20, 60));
    CHECK(TEE_SetOperationKey(enc, key) == TEE_SUCCESS && TEE_SetOperationKey(dec, key) == TEE_SUCCESS);
    CHECK(TEE_AEInit(enc, iv, 12, 64, 20, 60) == TEE_ERROR_NOT_SUPPORTED);
    CHECK(TEE_AEInit(enc, iv, 12, 128, 20, 60) == TEE_SUCCESS);
    TEE_AEUpdateAAD(enc, aad, 20);
    part = 7;
    CHECK(TEE_AEUpdate(enc, plain, 7, cipher, &part) == TEE_SUCCESS && part == 7);
    CHECK_PANICS(TEE_SUCCESS, TEE_AEUpdateAAD(enc, aad, 1));
    CHECK_PANICS(TEE_SUCCESS, TEE_SetOperationKey(enc, key));
    length = 10;
    CHECK(TEE_AEEncryptFinal(enc, plain + 7, 53, cipher + 7, &length, tag, &tag_length) ==
          TEE_ERROR_SHORT_BUFFER);
    length = 53;
    CHECK(TEE_AEEncryptFinal(enc, plain + 7, 53, cipher + 7, &length, tag, &tag_length) == TEE_SUCCESS);
    CHECK(is(cipher, 60,
             "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa0"
             "51ba30b396"
             "a0aac973d58e091"));
    CHECK(is(tag, 16, "5bc94fbc3221a5db94fae95ae7121a47"));

    CHECK(TEE_AEInit(dec, iv, 12, 128, 20, 60) == TEE_SUCCESS);
    TEE_AEUpdateAAD(dec, aad, 20);
    length = 60;
    CHECK(TEE_AEDecryptFinal(dec, cipher, 60, out, &length, tag, 16) == TEE_SUCCESS &&
          memcmp(out, plain, 60) == 0);
    tag[3] ^= 0x10;
    CHECK(TEE_AEInit(dec, iv, 12, 128, 20, 60) == TEE_SUCCESS);
    TEE_AEUpdateAAD(dec, aad, 20);
    part = 30;
    CHECK(TEE_AEUpdate(dec, cipher, 30, out, &part) == TEE_SUCCESS);
    length = 30;
    CHECK(TEE_AEDecryptFinal(dec, cipher + 30, 30, out + 30, &length, tag, 16) == TEE_ERROR_MAC_INVALID);
    CHECK_PANICS(TEE_ERROR_BAD_PARAMETERS, TEE_AEInit(dec, iv, 12, 128, 20, 60)); /* still under way */
    TEE_ResetOperation(dec);
    CHECK(TEE_AEInit(dec, iv, 12, 128, 20, 60) == TEE_SUCCESS);
    length = 60;
    CHECK_PANICS(TEE_ERROR_BAD_PARAMETERS, TEE_AEDecryptFinal(dec, cipher, 60, cipher, &length, tag, 16));
    TEE_FreeOperation(enc);
    TEE_FreeOperation(dec);
    TEE_FreeTransientObject(key);
}

static void signatures(void)
{
    /* RFC 8032 section 7.1, test 2 */
    uint8_t private_value[32], public_value[32], signature[64];
    size_t length = 64;
    TEE_ObjectHandle pair, other;
    TEE_OperationHandle sign, verify;
    TEE_Attribute attributes[2];

    unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", private_value);
    unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", public_value);
    CHECK(TEE_AllocateTransientObject(TEE_TYPE_ED25519_KEYPAIR, 256, &pair) == TEE_SUCCESS);
    TEE_InitRefAttribute(&attributes[0], TEE_ATTR_ED25519_PRIVATE_VALUE, private_value, 32);
    TEE_InitRefAttribute(&attributes[1], TEE_ATTR_ED25519_PUBLIC_VALUE, public_value, 32);
    CHECK(TEE_PopulateTransientObject(pair, attributes, 1) == TEE_ERROR_BAD_PARAMETERS);
    CHECK(TEE_PopulateTransientObject(pair, attributes, 2) == TEE_SUCCESS);
    CHECK(TEE_AllocateOperation(&sign, TEE_ALG_ED25519, TEE_MODE_SIGN, 256) == TEE_SUCCESS);
    CHECK(TEE_AllocateOperation(&verify, TEE_ALG_ED25519, TEE_MODE_VERIFY, 256) == TEE_SUCCESS);
    CHECK_PANICS(TEE_ERROR_BAD_PARAMETERS,
                 TEE_AsymmetricSignDigest(sign, NULL, 0, "r", 1, signature, &length));
    CHECK(TEE_SetOperationKey(sign, pair) == TEE_SUCCESS && TEE_SetOperationKey(verify, pair) == TEE_SUCCESS);
    CHECK(TEE_AsymmetricSignDigest(sign, NULL, 0, "r", 1, signature, &length) == TEE_SUCCESS && length == 64);
    CHECK(is(signature, 64,
             "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8"
             "c387b2eaeb4"
             "302aeeb00d291612bb0c00"));
    CHECK(TEE_AsymmetricVerifyDigest(verify, NULL, 0, "r", 1, signature, 64) == TEE_SUCCESS);
    CHECK(TEE_AsymmetricVerifyDigest(verify, NULL, 0, "s", 1, signature, 64) == TEE_ERROR_SIGNATURE_INVALID);
    CHECK_PANICS(TEE_ERROR_BAD_PARAMETERS,
                 TEE_AsymmetricVerifyDigest(verify, NULL, 0, "r", 1, signature, 63));

    CHECK(TEE_AllocateTransientObject(TEE_TYPE_ED25519_KEYPAIR, 256, &other) == TEE_SUCCESS);
    CHECK(TEE_GenerateKey(other, 256, NULL, 0) == TEE_SUCCESS);
    CHECK_PANICS(TEE_ERROR_BAD_STATE, TEE_GenerateKey(other, 256, NULL, 0));
    length = 32;
    CHECK(TEE_GetObjectBufferAttribute(other, TEE_ATTR_ED25519_PUBLIC_VALUE, public_value, &length) ==
          TEE_SUCCESS);
    length = 31;
    CHECK(TEE_GetObjectBufferAttribute(other, TEE_ATTR_ED25519_PRIVATE_VALUE, private_value, &length) ==
          TEE_ERROR_SHORT_BUFFER);
    CHECK(TEE_RestrictObjectUsage1(other, TEE_USAGE_SIGN) == TEE_SUCCESS);
    CHECK_PANICS(TEE_ERROR_ACCESS_DENIED,
                 TEE_GetObjectBufferAttribute(other, TEE_ATTR_ED25519_PRIVATE_VALUE, private_value, &length));
    TEE_FreeOperation(sign);
    TEE_FreeOperation(verify);
    TEE_FreeTransientObject(pair);
    TEE_FreeTransientObject(other);
}

static void agreement(void)
{
    /* RFC 7748 section 6.1 */
    uint8_t a[32], a_public[32], b_public[32], secret[32];
    static const uint8_t small[5][32] = {
        {0},
        {1},
        {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
         0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
        {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
         0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    };
    size_t length = 32;
    TEE_ObjectHandle pair, derived;
    TEE_OperationHandle op;
    TEE_Attribute attributes[2], peer;

    unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", a);
    unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", a_public);
    unhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", b_public);
    CHECK(TEE_AllocateTransientObject(TEE_TYPE_X25519_KEYPAIR, 256, &pair) == TEE_SUCCESS);
    TEE_InitRefAttribute(&attributes[0], TEE_ATTR_X25519_PRIVATE_VALUE, a, 32);
    TEE_InitRefAttribute(&attributes[1], TEE_ATTR_X25519_PUBLIC_VALUE, a_public, 32);
    CHECK(TEE_PopulateTransientObject(pair, attributes, 2) == TEE_SUCCESS);
    CHECK(TEE_AllocateOperation(&op, TEE_ALG_X25519, TEE_MODE_DERIVE, 256) == TEE_SUCCESS);
    CHECK(TEE_SetOperationKey(op, pair) == TEE_SUCCESS);
    CHECK(TEE_AllocateTransientObject(TEE_TYPE_GENERIC_SECRET, 256, &derived) == TEE_SUCCESS);
    TEE_InitRefAttribute(&peer, TEE_ATTR_X25519_PUBLIC_VALUE, b_public, 32);
    TEE_DeriveKey(op, &peer, 1, derived);
    CHECK(TEE_GetObjectBufferAttribute(derived, TEE_ATTR_SECRET_VALUE, secret, &length) == TEE_SUCCESS);
    CHECK(is(secret, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
    TEE_ResetTransientObject(derived);
    for (size_t i = 0; i < 5; i++) {
        TEE_InitRefAttribute(&peer, TEE_ATTR_X25519_PUBLIC_VALUE, small[i], 32);
        CHECK_PANICS(TEE_ERROR_SECURITY, TEE_DeriveKey(op, &peer, 1, derived));
    }
    TEE_FreeTransientObject(derived);
    TEE_FreeOperation(op);
    TEE_FreeTransientObject(pair);
}

static void memory(void)
{
    struct sz_soft_tee_usage usage;
    uint8_t *a, *b, *c;

    sz_soft_tee_usage(&usage);
    CHECK(usage.heap_used == 0); /* everything so far was given back */
    CHECK(usage.core_used == 0);
    CHECK_PANICS(TEE_SUCCESS, TEE_Malloc(8, TEE_MALLOC_NO_FILL));
    CHECK(TEE_Malloc(8, TEE_MALLOC_NO_FILL | TEE_MALLOC_NO_SHARE) == NULL); /* no such pool */
    CHECK(TEE_Malloc(0, TEE_MALLOC_FILL_ZERO) != NULL);
    TEE_Free(TEE_Malloc(0, TEE_MALLOC_FILL_ZERO));
    CHECK(TEE_Malloc(SZ_SOFT_HEAP_SIZE, TEE_MALLOC_FILL_ZERO) == NULL);
    CHECK(TEE_Malloc(SIZE_MAX, TEE_MALLOC_FILL_ZERO) == NULL);
    a = TEE_Malloc(1000, TEE_MALLOC_FILL_ZERO);
    b = TEE_Malloc(2000, TEE_MALLOC_FILL_ZERO);
    c = TEE_Malloc(SZ_SOFT_HEAP_SIZE - 3200, TEE_USER_MEM_HINT_NO_FILL_ZERO);
    CHECK(a && b && c && TEE_Malloc(200, TEE_MALLOC_FILL_ZERO) == NULL);
    b[1999] = 7;
    TEE_Free(a);
    a = TEE_Realloc(NULL, 100);
    CHECK(a != NULL);
    TEE_Free(c);
    b = TEE_Realloc(b, 3000);
    CHECK(b && b[1999] == 7 && b[2999] == 0);
    TEE_Free(b);
    CHECK_PANICS(TEE_ERROR_BAD_PARAMETERS, TEE_Free(b));
    CHECK_PANICS(TEE_ERROR_BAD_PARAMETERS, TEE_Free(&usage));
    TEE_Free(a);
    sz_soft_tee_usage(&usage);
    CHECK(usage.heap_used == 0 && usage.heap_peak > SZ_SOFT_HEAP_SIZE - 3200);
    a = TEE_Malloc(SZ_SOFT_HEAP_SIZE - 64, TEE_MALLOC_FILL_ZERO); /* free blocks were joined again */
    CHECK(a != NULL);
    TEE_Free(a);

    CHECK(TEE_MemCompare("abcd", "abcd", 4) == 0 && TEE_MemCompare("abcd", "abce", 4) < 0);
    CHECK(TEE_MemCompare("b\377\377\377", "a\0\0\0", 4) > 0 && TEE_MemCompare("x", "y", 0) == 0);
}

static void core_heap(void)
{
    uint8_t key[16] = {0};
    TEE_ObjectHandle objects[100];
    TEE_OperationHandle operations[100];
    size_t channels = 0;
    struct sz_soft_tee_usage usage;

    /* A key object and an operation per channel do not reach 100 channels while the TA's heap looks empty. */
    for (; channels < 100; channels++) {
        TEE_Attribute attribute;

        if (TEE_AllocateTransientObject(TEE_TYPE_AES, 128, &objects[channels]) != TEE_SUCCESS)
            break;
        TEE_InitRefAttribute(&attribute, TEE_ATTR_SECRET_VALUE, key, 16);
        CHECK(TEE_PopulateTransientObject(objects[channels], &attribute, 1) == TEE_SUCCESS);
        if (TEE_AllocateOperation(&operations[channels], TEE_ALG_AES_GCM, TEE_MODE_DECRYPT, 128) !=
            TEE_SUCCESS) {
            TEE_FreeTransientObject(objects[channels]);
            break;
        }
    }
    CHECK(channels > 10 && channels < 100);
    sz_soft_tee_usage(&usage);
    CHECK(usage.heap_used < 64u << 10);
    while (channels--) {
        TEE_FreeOperation(operations[channels]);
        TEE_FreeTransientObject(objects[channels]);
    }
    sz_soft_tee_usage(&usage);
    CHECK(usage.core_used == 0 && usage.heap_used == 0);
}

static TEE_Result put(const char *id, const void *data, size_t size, uint32_t flags)
{
    return TEE_CreatePersistentObject(TEE_STORAGE_PRIVATE, id, strlen(id), flags, TEE_HANDLE_NULL, data, size,
                                      NULL);
}

static TEE_Result get(const char *id, void *data, size_t *size)
{
    TEE_ObjectHandle object;
    TEE_ObjectInfo info;
    TEE_Result result = TEE_OpenPersistentObject(
        TEE_STORAGE_PRIVATE, id, strlen(id), TEE_DATA_FLAG_ACCESS_READ | TEE_DATA_FLAG_SHARE_READ, &object);

    if (result != TEE_SUCCESS)
        return result;
    CHECK(TEE_GetObjectInfo1(object, &info) == TEE_SUCCESS && info.dataSize <= *size);
    CHECK(TEE_ReadObjectData(object, data, *size, size) == TEE_SUCCESS && *size == info.dataSize);
    TEE_CloseObject(object);
    return TEE_SUCCESS;
}

static void storage(void)
{
    static uint8_t large[1u << 20];
    char data[16];
    size_t size = sizeof data;
    TEE_ObjectHandle object, again;

    CHECK(get("a", data, &size) == TEE_ERROR_ITEM_NOT_FOUND);
    CHECK(put("a", "first", 5, 0) == TEE_SUCCESS);
    CHECK(put("a", "other", 5, 0) == TEE_ERROR_ACCESS_CONFLICT);
    CHECK(put("a", "second", 6, TEE_DATA_FLAG_OVERWRITE) == TEE_SUCCESS);
    CHECK(get("a", data, &size) == TEE_SUCCESS && size == 6 && memcmp(data, "second", 6) == 0);
    CHECK(put("big", large, sizeof large, TEE_DATA_FLAG_OVERWRITE) == TEE_SUCCESS);
    CHECK(TEE_OpenPersistentObject(TEE_STORAGE_PRIVATE, "a", 1,
                                   TEE_DATA_FLAG_ACCESS_READ | TEE_DATA_FLAG_ACCESS_WRITE |
                                       TEE_DATA_FLAG_ACCESS_WRITE_META,
                                   &object) == TEE_SUCCESS);
    CHECK(TEE_OpenPersistentObject(TEE_STORAGE_PRIVATE, "a", 1, TEE_DATA_FLAG_ACCESS_READ, &again) ==
          TEE_ERROR_ACCESS_CONFLICT);
    CHECK(TEE_SeekObjectData(object, 2, TEE_DATA_SEEK_END) == TEE_SUCCESS);
    CHECK(TEE_WriteObjectData(object, "!", 1) == TEE_SUCCESS);
    CHECK(TEE_SeekObjectData(object, 0, TEE_DATA_SEEK_SET) == TEE_SUCCESS);
    size = sizeof data;
    CHECK(TEE_ReadObjectData(object, data, sizeof data, &size) == TEE_SUCCESS);
    CHECK(size == 9 && memcmp(data, "second\0\0!", 9) == 0);
    CHECK(TEE_TruncateObjectData(object, 3) == TEE_SUCCESS);
    TEE_CloseObject(object);
    size = sizeof data;
    CHECK(get("a", data, &size) == TEE_SUCCESS && size == 3);
    CHECK(TEE_OpenPersistentObject(TEE_STORAGE_PRIVATE, "a", 1, TEE_DATA_FLAG_ACCESS_WRITE_META, &object) ==
          TEE_SUCCESS);
    CHECK(TEE_CloseAndDeletePersistentObject1(object) == TEE_SUCCESS);
    CHECK(get("a", data, &size) == TEE_ERROR_ITEM_NOT_FOUND);
}

/* Files in a directory: survive a restart, tell nothing, and refuse to open when changed, swapped or cut. */
static void storage_in_files(void)
{
    char directory[] = "/tmp/sz-internal-XXXXXX", path[160], command[256], data[128];
    size_t size = sizeof data;
    struct sz_soft_tee_config config;
    FILE *list, *file;
    int byte;

    CHECK(mkdtemp(directory) != NULL);
    sz_soft_tee_defaults(&config);
    config.panic = on_panic;
    sz_storage_in_directory(&config.storage, directory);
    CHECK(sz_soft_tee_start(&config) == TEE_SUCCESS);
    CHECK(put("roster", "known to nobody", 15, 0) == TEE_SUCCESS);
    CHECK(sz_soft_tee_start(&config) == TEE_SUCCESS);
    CHECK(get("roster", data, &size) == TEE_SUCCESS && size == 15 &&
          memcmp(data, "known to nobody", 15) == 0);

    snprintf(command, sizeof command, "ls %s", directory);
    list = popen(command, "r");
    CHECK(list && fscanf(list, "%100s", data) == 1 && strlen(data) == 64);
    CHECK(list && fscanf(list, "%100s", path) == EOF); /* no temporary file left */
    pclose(list);
    snprintf(path, sizeof path, "%.60s/%.64s", directory, data);
    snprintf(command, sizeof command, "grep -c -a -e roster -e nobody %s >/dev/null", path);
    CHECK(system(command) != 0);

    for (long at = 0; at < 100; at += 9) {
        file = fopen(path, "r+b");
        CHECK(file && fseek(file, at, SEEK_SET) == 0);
        byte = fgetc(file);
        if (byte == EOF) {
            fclose(file);
            break;
        }
        CHECK(fseek(file, at, SEEK_SET) == 0 && fputc(byte ^ 1, file) != EOF && fclose(file) == 0);
        size = sizeof data;
        CHECK(get("roster", data, &size) == TEE_ERROR_CORRUPT_OBJECT);
        file = fopen(path, "r+b");
        CHECK(file && fseek(file, at, SEEK_SET) == 0 && fputc(byte, file) != EOF && fclose(file) == 0);
    }
    size = sizeof data;
    CHECK(get("roster", data, &size) == TEE_SUCCESS);
    config.huk[0] = 1; /* another device */
    CHECK(sz_soft_tee_start(&config) == TEE_SUCCESS);
    CHECK(get("roster", data, &size) == TEE_ERROR_ITEM_NOT_FOUND);
    config.huk[0] = 0;
    CHECK(sz_soft_tee_start(&config) == TEE_SUCCESS);
    CHECK(truncate(path, 20) == 0);
    CHECK(get("roster", data, &size) == TEE_ERROR_CORRUPT_OBJECT);
    snprintf(command, sizeof command, "rm -r %s", directory);
    CHECK(system(command) == 0);
}

static void properties(void)
{
    char text[64];
    size_t size = sizeof text;
    uint32_t level = 0;
    bool soft = false;
    TEE_UUID uuid;

    CHECK(TEE_GetPropertyAsU32(TEE_PROPSET_TEE_IMPLEMENTATION,
                               "gpd.tee.trustedStorage.antiRollback.protectionLevel", &level) == TEE_SUCCESS);
    CHECK(level == 100);
    CHECK(TEE_GetPropertyAsBool(TEE_PROPSET_TEE_IMPLEMENTATION, "smartzone.soft", &soft) == TEE_SUCCESS &&
          soft);
    CHECK(TEE_GetPropertyAsU32(TEE_PROPSET_TEE_IMPLEMENTATION, "nothing", &level) ==
          TEE_ERROR_ITEM_NOT_FOUND);
    CHECK(TEE_GetPropertyAsU32(TEE_PROPSET_TEE_IMPLEMENTATION, "gpd.tee.description", &level) ==
          TEE_ERROR_BAD_FORMAT);
    CHECK(TEE_GetPropertyAsString(TEE_PROPSET_CURRENT_TA, "gpd.ta.dataSize", text, &size) == TEE_SUCCESS);
    CHECK(strcmp(text, "7340032") == 0 && size == 8);
    size = 3;
    CHECK(TEE_GetPropertyAsString(TEE_PROPSET_CURRENT_TA, "gpd.ta.dataSize", text, &size) ==
          TEE_ERROR_SHORT_BUFFER);
    CHECK(size == 8);
    CHECK(TEE_GetPropertyAsUUID(TEE_PROPSET_CURRENT_TA, "gpd.ta.appID", &uuid) == TEE_SUCCESS);
    CHECK(uuid.timeLow == 0x7c3a1f52);
}

/* The per-TA key under an all-zero hardware unique key is one that anyone can compute. */
static void system_ta(void)
{
    static const TEE_UUID id = {0x3a2f8978, 0x5dc0, 0x11e8, {0x9c, 0x2d, 0xfa, 0x7a, 0xe0, 0x1b, 0xbe, 0xbc}};
    const uint32_t types = TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_OUTPUT,
                                           TEE_PARAM_TYPE_NONE, TEE_PARAM_TYPE_NONE);
    TEE_TASessionHandle session;
    TEE_Param params[4];
    TEE_OperationHandle op;
    TEE_ObjectHandle key;
    TEE_UUID uuid;
    uint8_t zeros[32] = {0}, derived[32], mac[32];
    const uint32_t usage = 3;
    size_t length = 32;

    start();
    CHECK(TEE_OpenTASession(&id, 0, 0, NULL, &session, NULL) == TEE_SUCCESS);
    memset(params, 0, sizeof params);
    params[0].memref.buffer = "test";
    params[0].memref.size = 4;
    params[1].memref.buffer = derived;
    params[1].memref.size = 32;
    CHECK(TEE_InvokeTACommand(session, 0, 1, types, params, NULL) == TEE_SUCCESS);
    TEE_CloseTASession(session);
    key = key_object(TEE_TYPE_HMAC_SHA256, 256, zeros, 32);
    CHECK(TEE_AllocateOperation(&op, TEE_ALG_HMAC_SHA256, TEE_MODE_MAC, 256) == TEE_SUCCESS);
    CHECK(TEE_SetOperationKey(op, key) == TEE_SUCCESS);
    CHECK(TEE_GetPropertyAsUUID(TEE_PROPSET_CURRENT_TA, "gpd.ta.appID", &uuid) == TEE_SUCCESS);
    TEE_MACInit(op, NULL, 0);
    TEE_MACUpdate(op, &usage, sizeof usage);
    TEE_MACUpdate(op, &uuid, sizeof uuid);
    CHECK(TEE_MACComputeFinal(op, "test", 4, mac, &length) == TEE_SUCCESS);
    CHECK(memcmp(mac, derived, 32) == 0);
    TEE_FreeOperation(op);
    TEE_FreeTransientObject(key);
}

int main(void)
{
    TEE_Time before, after;

    start();
    digests();
    macs();
    authenticated_encryption();
    signatures();
    agreement();
    start(); /* forgets what panics left behind */
    memory();
    core_heap();
    storage();
    storage_in_files();
    start();
    properties();
    system_ta();
    TEE_GetSystemTime(&before);
    TEE_GetSystemTime(&after);
    CHECK(after.seconds > before.seconds ||
          (after.seconds == before.seconds && after.millis >= before.millis));
    printf("internal API: %d checks, %d failures\n", checks, failures);
    return failures != 0;
}
