/* The wrapper of the TEE's crypto API where vectors do not reach: shared memory, pieces, refused keys,
 * handles that stay. */
#include "soft/internal/soft_tee.h"
#include "trust/crypto.h"
#include "trust/crypto_internal.h"
#include "trust_test.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static const uint8_t key[SZ_AES_KEY_SIZE] = "sixteen byte key";
static const uint8_t nonce[SZ_NONCE_SIZE] = "twelve bytes";
static const struct sz_bytes aad = {(const uint8_t *)"associated", 10};

static bool is_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Sizes around the bounce buffer's pieces; every alteration leaves zeros and the next good message opens. */
static unsigned shared_memory(void)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4080, 4095, 4096, 4097, 8192, 12289, 70000};
    unsigned cases = 0;
    trust_test_now = "shared memory";
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const size_t length = sizes[s], total = length + SZ_TAG_SIZE;
        uint8_t *const plain = malloc(length + 1), *const shared = malloc(total),
                       *const out = malloc(length + 1);
        uint8_t digest[SZ_SHA256_SIZE], expected[SZ_SHA256_SIZE], tag[SZ_TAG_SIZE];
        CHECK(plain != NULL && shared != NULL && out != NULL);
        for (size_t i = 0; i < length; i++) {
            plain[i] = (uint8_t)(i * 31 + 7);
        }
        CHECK(sz_gcm_seal(key, nonce, aad, SZ_BYTES(plain, length), shared, shared + length) == SZ_OK);
        CHECK(sz_sha256(SZ_BYTES(shared, total), expected) == SZ_OK);
        const size_t flips[] = {0, length / 2, length > 0 ? length - 1 : 0, length, total - 1};
        for (size_t f = 0; f < 5; f++, cases++) {
            CHECK(sz_gcm_open_shared(key, nonce, aad, shared, total, out, digest, tag) == SZ_OK);
            CHECK(memcmp(out, plain, length) == 0 && memcmp(digest, expected, sizeof digest) == 0);
            CHECK(memcmp(tag, shared + length, sizeof tag) == 0);
            shared[flips[f]] ^= 0x10;
            CHECK(sz_gcm_open_shared(key, nonce, aad, shared, total, out, NULL, NULL) == SZ_BAD_TAG);
            CHECK(is_zero(out, length));
            CHECK(sz_gcm_open(key, nonce, aad, SZ_BYTES(shared, length), shared + length, out) == SZ_BAD_TAG);
            CHECK(is_zero(out, length));
            shared[flips[f]] ^= 0x10;
        }
        const uint8_t other_nonce[SZ_NONCE_SIZE] = {1};
        CHECK(sz_gcm_open_shared(key, other_nonce, aad, shared, total, out, NULL, NULL) == SZ_BAD_TAG);
        CHECK(sz_gcm_open_shared(key, nonce, SZ_TEXT("another"), shared, total, out, NULL, NULL) ==
              SZ_BAD_TAG);
        CHECK(sz_gcm_open_shared(key, nonce, aad, shared, SZ_TAG_SIZE - 1, out, NULL, NULL) == SZ_TRUNCATED);
        free(plain);
        free(shared);
        free(out);
    }
    return cases;
}

struct rewriting {
    _Atomic bool stop;
    volatile uint8_t *bytes;
    size_t length;
};

static void *rewrite(void *argument)
{
    struct rewriting *const r = argument;
    while (!r->stop) {
        r->bytes[r->length / 2] ^= 0xff;
    }
    return NULL;
}

/* Another thread rewrites the ciphertext all the while: either the true plaintext or zeros, never anything
 * between, and the digest is that of the bytes that were decrypted: where it is the true one, the message
 * opened. */
static unsigned rewritten(void)
{
    enum { LENGTH = 40000, ROUNDS = 300 };
    static uint8_t plain[LENGTH], shared[LENGTH + SZ_TAG_SIZE], out[LENGTH];
    uint8_t digest[SZ_SHA256_SIZE], expected[SZ_SHA256_SIZE];
    struct rewriting r = {false, shared, sizeof shared};
    pthread_t thread;
    unsigned opened = 0;
    trust_test_now = "rewritten";
    memset(plain, 0x5a, sizeof plain);
    CHECK(sz_gcm_seal(key, nonce, aad, SZ_BYTES(plain, LENGTH), shared, shared + LENGTH) == SZ_OK);
    CHECK(sz_sha256(SZ_BYTES(shared, sizeof shared), expected) == SZ_OK);
    CHECK(pthread_create(&thread, NULL, rewrite, &r) == 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        const enum sz_code code =
            sz_gcm_open_shared(key, nonce, aad, shared, sizeof shared, out, digest, NULL);
        const bool same = memcmp(digest, expected, sizeof digest) == 0;
        CHECK(code == (same ? SZ_OK : SZ_BAD_TAG));
        CHECK(code == SZ_OK ? memcmp(out, plain, LENGTH) == 0 : is_zero(out, LENGTH));
        opened += code == SZ_OK;
    }
    r.stop = true;
    CHECK(pthread_join(thread, NULL) == 0);
    printf("crypto: rewritten shared memory: %u opened, %u refused\n", opened, (unsigned)ROUNDS - opened);
    return ROUNDS;
}

static unsigned hashes(void)
{
    uint8_t message[300], out[SZ_SHA256_SIZE], expected[SZ_SHA256_SIZE];
    unsigned length, cases = 0;
    trust_test_now = "hashes";
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)(i ^ 0x35);
    }
    for (size_t cut = 0; cut <= sizeof message; cut += 25, cases++) {
        sz_sha256_begin();
        sz_sha256_update(SZ_BYTES(message, cut));
        sz_sha256_update(SZ_BYTES(message + cut, sizeof message - cut));
        CHECK(sz_sha256_end(out) == SZ_OK);
        CHECK(EVP_Digest(message, sizeof message, expected, NULL, EVP_sha256(), NULL) == 1);
        CHECK(memcmp(out, expected, sizeof out) == 0);
    }
    /* Keys of every length, those under 24 bytes that OP-TEE refuses included. */
    for (size_t key_length = 0; key_length <= 130; key_length++, cases++) {
        const struct sz_bytes pieces[] = {SZ_BYTES(message, 100), SZ_BYTES(NULL, 0),
                                          SZ_BYTES(message + 100, 60)};
        uint8_t *const secret = trust_copy(message + 70, key_length);
        CHECK(sz_hmac_sha256(SZ_BYTES(secret, key_length), pieces, 3, out) == SZ_OK);
        CHECK(HMAC(EVP_sha256(), secret, (int)key_length, message, 160, expected, &length) != NULL);
        CHECK(memcmp(out, expected, sizeof out) == 0);
        free(secret);
    }
    struct sz_bytes many[9];
    for (size_t i = 0; i < 9; i++) {
        many[i] = SZ_BYTES(message, 1);
    }
    CHECK(sz_hkdf_expand(SZ_BYTES(message, 32), many, 9, out, sizeof out) == SZ_CRYPTO_FAILED);
    CHECK(sz_hkdf_expand(SZ_BYTES(message, 32), many, 8, out, sizeof out) == SZ_OK);
    return cases;
}

/* 0, 1, p - 1, p, p + 1 and the two points of order 8, each with and without bit 255. */
static unsigned refused_points(void)
{
    static const uint8_t order_8[2][SZ_KEY_SIZE] = {
        {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
         0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
        {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
         0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57}};
    uint8_t own[SZ_KEY_SIZE], own_public[SZ_KEY_SIZE], shared[SZ_KEY_SIZE];
    unsigned cases = 0;
    trust_test_now = "refused points";
    CHECK(sz_x25519_generate(own, own_public) == SZ_OK);
    for (unsigned point = 0; point < 7; point++) {
        for (unsigned bit = 0; bit < 2; bit++, cases++) {
            uint8_t peer[SZ_KEY_SIZE] = {0};
            if (point < 2) {
                peer[0] = (uint8_t)point;
            } else if (point < 5) {
                memset(peer, 0xff, sizeof peer);
                peer[0] = (uint8_t)(0xec + point - 2);
                peer[31] = 0x7f;
            } else {
                memcpy(peer, order_8[point - 5], sizeof peer);
            }
            peer[31] = (uint8_t)(peer[31] | bit << 7);
            CHECK(!sz_x25519_acceptable(peer));
            memset(shared, 1, sizeof shared);
            CHECK(sz_x25519_agree(own, own_public, peer, shared) == SZ_BAD_KEY &&
                  is_zero(shared, sizeof shared));
        }
    }
    uint8_t two[SZ_KEY_SIZE]; /* p + 2: a point like any other */
    memset(two, 0xff, sizeof two);
    two[0] = 0xef;
    CHECK(sz_x25519_acceptable(two) && sz_x25519_agree(own, own_public, two, shared) == SZ_OK);
    return cases;
}

static unsigned agreement_and_signature(void)
{
    static const uint8_t group_order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                            0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                            0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    uint8_t a[32], a_public[32], b[32], b_public[32], ab[32], ba[32], signature[SZ_SIGNATURE_SIZE];
    const struct sz_bytes message = SZ_TEXT("what is signed");
    unsigned carry = 0;
    trust_test_now = "agreement and signature";
    CHECK(sz_x25519_generate(a, a_public) == SZ_OK && sz_x25519_generate(b, b_public) == SZ_OK);
    CHECK(sz_x25519_agree(a, a_public, b_public, ab) == SZ_OK &&
          sz_x25519_agree(b, b_public, a_public, ba) == SZ_OK);
    CHECK(sz_equal(ab, ba, sizeof ab) && !sz_equal(a_public, b_public, 32));
    CHECK(sz_ed25519_generate(a, a_public) == SZ_OK);
    CHECK(sz_ed25519_sign(a, a_public, message, signature) == SZ_OK);
    CHECK(sz_ed25519_verify(a_public, message, signature) == SZ_OK);
    CHECK(sz_ed25519_verify(a_public, SZ_TEXT("what is Signed"), signature) == SZ_BAD_SIGNATURE);
    CHECK(sz_ed25519_verify(b_public, message, signature) == SZ_BAD_SIGNATURE);
    for (size_t i = 0; i < 32;
         i++) { /* S + L satisfies the equation but is another form of the same signature */
        carry += (unsigned)signature[32 + i] + group_order[i];
        signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    CHECK(sz_ed25519_verify(a_public, message, signature) == SZ_BAD_SIGNATURE);
    return 6;
}

/* The core's heap holds what init made and nothing more, after failures too. */
static unsigned handles(void)
{
    struct sz_soft_tee_usage before, after;
    uint8_t seed[32], public_key[32], out[32], signature[SZ_SIGNATURE_SIZE] = {0};
    trust_test_now = "handles";
    sz_soft_tee_usage(&before);
    for (unsigned i = 0; i < 300; i++) {
        CHECK(sz_x25519_generate(seed, public_key) == SZ_OK);
        CHECK(sz_x25519_agree(seed, public_key, public_key, out) == SZ_OK);
        CHECK(sz_ed25519_generate(seed, public_key) == SZ_OK);
        CHECK(sz_ed25519_verify(public_key, aad, signature) == SZ_BAD_SIGNATURE);
        CHECK(sz_gcm_open(key, nonce, aad, SZ_BYTES(out, 16), out + 16, signature) == SZ_BAD_TAG);
        CHECK(sz_hmac_sha256(aad, &aad, 1, out) == SZ_OK);
    }
    sz_soft_tee_usage(&after);
    CHECK(after.core_used == before.core_used && after.heap_used == before.heap_used);
    CHECK(after.core_peak <= after.core_size);
    printf("crypto: core heap: %zu bytes held, %zu at the most\n", after.core_used, after.core_peak);
    return 300;
}

/* No operation but the device's signature keeps its key behind a call, whether that succeeded or not. */
static unsigned forgotten_keys(void)
{
    uint8_t sealed[16 + SZ_TAG_SIZE] = {0}, plain[16] = {0};
    const TEE_OperationHandle operations[] = {sz_crypto.gcm_encrypt, sz_crypto.gcm_decrypt, sz_crypto.hmac};
    trust_test_now = "forgotten keys";
    CHECK(sz_gcm_open(key, nonce, aad, SZ_BYTES(sealed, 16), sealed + 16, plain) == SZ_BAD_TAG);
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < 3; i++) {
            TEE_OperationInfo info;
            TEE_GetOperationInfo(operations[i], &info);
            CHECK((info.handleState & TEE_HANDLE_FLAG_KEY_SET) == 0);
        }
        CHECK(sz_gcm_seal(key, nonce, aad, SZ_BYTES(plain, 16), sealed, sealed + 16) == SZ_OK);
        CHECK(sz_gcm_open(key, nonce, aad, SZ_BYTES(sealed, 16), sealed + 16, plain) == SZ_OK);
        CHECK(sz_gcm_open_shared(key, nonce, aad, sealed, sizeof sealed, plain, NULL, NULL) == SZ_OK);
    }
    return 9;
}

static bool holds_signer(void)
{
    TEE_OperationInfo info;
    TEE_GetOperationInfo(sz_crypto.sign, &info);
    return (info.handleState & TEE_HANDLE_FLAG_KEY_SET) != 0;
}

/* The key that stays for the next signature signs for no other key, and goes when it is told to. */
static unsigned signers(void)
{
    uint8_t seeds[2][32], keys[2][32], signature[SZ_SIGNATURE_SIZE];
    static const unsigned turns[] = {0, 0, 1, 0, 1, 1};
    trust_test_now = "signers";
    CHECK(sz_ed25519_generate(seeds[0], keys[0]) == SZ_OK && sz_ed25519_generate(seeds[1], keys[1]) == SZ_OK);
    for (unsigned i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        const unsigned signer = turns[i];
        CHECK(sz_ed25519_sign(seeds[signer], keys[signer], aad, signature) == SZ_OK);
        CHECK(sz_ed25519_verify(keys[signer], aad, signature) == SZ_OK);
        CHECK(sz_ed25519_verify(keys[!signer], aad, signature) == SZ_BAD_SIGNATURE);
        CHECK(holds_signer());
        if (i % 2 == 1) {
            sz_ed25519_forget();
            CHECK(!holds_signer());
        }
    }
    return sizeof turns / sizeof turns[0];
}

static unsigned small_things(void)
{
    uint8_t secret[40], other[40] = {0};
    trust_test_now = "small things";
    sz_random(secret, sizeof secret);
    CHECK(!is_zero(secret, sizeof secret) && !sz_equal(secret, other, sizeof secret));
    memcpy(other, secret, sizeof other);
    CHECK(sz_equal(secret, other, sizeof secret) && sz_equal(secret, other, 0));
    other[39] ^= 1;
    CHECK(!sz_equal(secret, other, sizeof secret) && sz_equal(secret, other, 39));
    sz_wipe(secret, 39);
    CHECK(is_zero(secret, 39));
    return 4;
}

int main(void)
{
    CHECK(sz_crypto_init() == SZ_OK);
    const unsigned opened = shared_memory(), raced = rewritten(), hashed = hashes(),
                   points = refused_points(), keys = agreement_and_signature(), held = handles(),
                   small = small_things(), forgotten = forgotten_keys(), signed_by = signers();
    printf("crypto: %u records from shared memory, %u while it is rewritten, %u hashes, %u refused points, "
           "%u agreements and "
           "signatures, %u rounds of handles, %u forgotten keys, %u small things, %u signers in turn\n",
           opened, raced, hashed, points, keys, held, forgotten, small, signed_by);
    sz_crypto_release();
    struct sz_soft_tee_usage end;
    sz_soft_tee_usage(&end);
    CHECK(end.core_used == 0);
    return 0;
}
