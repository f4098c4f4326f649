/* Randomness that repeats and checks that pass: linked in front of the TA's own functions (--wrap). */
#include "fuzz.h"
#include "trust/crypto.h"

#include <string.h>

bool fuzz_checks_pass;

static uint64_t random_now;

void fuzz_random_restart(void)
{
    random_now = 0x9e3779b97f4a7c15;
}

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t random_next(void)
{
    uint64_t z = random_now += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

void __wrap_TEE_GenerateRandom(void *out, size_t length);
void __wrap_TEE_GenerateRandom(void *out, size_t length)
{
    uint8_t *const bytes = out;
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)random_next();
    }
}

enum sz_code __real_sz_ed25519_verify(const uint8_t *public_key, struct sz_bytes message,
                                      const uint8_t *signature);
enum sz_code __wrap_sz_ed25519_verify(const uint8_t *public_key, struct sz_bytes message,
                                      const uint8_t *signature);
enum sz_code __wrap_sz_ed25519_verify(const uint8_t *public_key, struct sz_bytes message,
                                      const uint8_t *signature)
{
    return fuzz_checks_pass ? SZ_OK : __real_sz_ed25519_verify(public_key, message, signature);
}

enum sz_code __real_sz_gcm_seal(const uint8_t *key, const uint8_t *nonce, struct sz_bytes aad,
                                struct sz_bytes plaintext, uint8_t *ciphertext, uint8_t *tag);
enum sz_code __wrap_sz_gcm_seal(const uint8_t *key, const uint8_t *nonce, struct sz_bytes aad,
                                struct sz_bytes plaintext, uint8_t *ciphertext, uint8_t *tag);
enum sz_code __wrap_sz_gcm_seal(const uint8_t *key, const uint8_t *nonce, struct sz_bytes aad,
                                struct sz_bytes plaintext, uint8_t *ciphertext, uint8_t *tag)
{
    if (!fuzz_checks_pass) {
        return __real_sz_gcm_seal(key, nonce, aad, plaintext, ciphertext, tag);
    }
    memcpy(ciphertext, plaintext.at, plaintext.length);
    memset(tag, 0, SZ_TAG_SIZE);
    return SZ_OK;
}

enum sz_code __real_sz_gcm_open(const uint8_t *key, const uint8_t *nonce, struct sz_bytes aad,
                                struct sz_bytes ciphertext, const uint8_t *tag, uint8_t *out);
enum sz_code __wrap_sz_gcm_open(const uint8_t *key, const uint8_t *nonce, struct sz_bytes aad,
                                struct sz_bytes ciphertext, const uint8_t *tag, uint8_t *out);
enum sz_code __wrap_sz_gcm_open(const uint8_t *key, const uint8_t *nonce, struct sz_bytes aad,
                                struct sz_bytes ciphertext, const uint8_t *tag, uint8_t *out)
{
    if (!fuzz_checks_pass) {
        return __real_sz_gcm_open(key, nonce, aad, ciphertext, tag, out);
    }
    memcpy(out, ciphertext.at, ciphertext.length);
    return SZ_OK;
}

enum sz_code __real_sz_gcm_open_shared(const uint8_t *key, const uint8_t *nonce, struct sz_bytes aad,
                                       const volatile uint8_t *shared, size_t length, uint8_t *out,
                                       uint8_t *digest, uint8_t *tag);
enum sz_code __wrap_sz_gcm_open_shared(const uint8_t *key, const uint8_t *nonce, struct sz_bytes aad,
                                       const volatile uint8_t *shared, size_t length, uint8_t *out,
                                       uint8_t *digest, uint8_t *tag);
enum sz_code __wrap_sz_gcm_open_shared(const uint8_t *key, const uint8_t *nonce, struct sz_bytes aad,
                                       const volatile uint8_t *shared, size_t length, uint8_t *out,
                                       uint8_t *digest, uint8_t *tag)
{
    /* The real one first: its own reads and writes are under test too. */
    const enum sz_code code = __real_sz_gcm_open_shared(key, nonce, aad, shared, length, out, digest, tag);
    if (!fuzz_checks_pass || code != SZ_BAD_TAG) {
        return code;
    }
    if (out != NULL) {
        memcpy(out, (const void *)(uintptr_t)shared, length - SZ_TAG_SIZE);
    }
    return SZ_OK;
}
