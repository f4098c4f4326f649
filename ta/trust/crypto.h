/* The primitives that the protocol is made of, on the TEE Internal Core API.
 *
 * One AES-GCM operation with one key object, one SHA-256 and one HMAC operation are made at start and reused
 * for ever: OP-TEE keeps handles in a 64 KiB core heap that all TAs share (CFG_CORE_HEAP_SIZE). Nothing is
 * decrypted in place. Functions return SZ_OK, or SZ_CRYPTO_FAILED where the TEE refuses, unless stated.
 */
#ifndef SZ_CRYPTO_H
#define SZ_CRYPTO_H

#include "sz_codes.h"
#include "trust/bytes.h"
#include <stdbool.h>

enum {
    SZ_SHA256_SIZE = 32,
    SZ_KEY_SIZE = 32,       /* X25519 and Ed25519 keys, HKDF secrets */
    SZ_SIGNATURE_SIZE = 64, /* Ed25519 */
    SZ_AES_KEY_SIZE = 16,
    SZ_NONCE_SIZE = 12,
    SZ_TAG_SIZE = 16,
};

enum sz_code sz_crypto_init(void);
void sz_crypto_release(void);

/* Overwrites a secret; not removed by the compiler. */
void sz_wipe(void *secret, size_t length);

/* True if equal; time depends on length alone. */
bool sz_equal(const void *a, const void *b, size_t length);

void sz_random(void *out, size_t length);

/* SHA-256. One stream at a time: begin, any number of updates, end. */
enum sz_code sz_sha256(struct sz_bytes message, uint8_t out[SZ_SHA256_SIZE]);
void sz_sha256_begin(void);
void sz_sha256_update(struct sz_bytes piece);
enum sz_code sz_sha256_end(uint8_t out[SZ_SHA256_SIZE]);

/* HMAC-SHA256 over the concatenation of pieces. Key of any length (OP-TEE refuses under 24 bytes; padding
 * with zeros is the same HMAC, RFC 2104 section 2; one over 64 bytes is hashed, which ends a SHA-256 stream
 * under way). */
enum sz_code sz_hmac_sha256(struct sz_bytes key, const struct sz_bytes *pieces, size_t count,
                            uint8_t out[SZ_SHA256_SIZE]);

/* HKDF-SHA256 (RFC 5869). salt may be empty. Expand: up to 255 * 32 bytes; info in pieces, at most 8. */
enum sz_code sz_hkdf_extract(struct sz_bytes salt, const struct sz_bytes *ikm, size_t count,
                             uint8_t prk[SZ_SHA256_SIZE]);
enum sz_code sz_hkdf_expand(struct sz_bytes prk, const struct sz_bytes *info, size_t count, uint8_t *out,
                            size_t length);

/* AES-128-GCM, 96-bit nonce, 128-bit tag. in and out must not overlap. */
enum sz_code sz_gcm_seal(const uint8_t key[SZ_AES_KEY_SIZE], const uint8_t nonce[SZ_NONCE_SIZE],
                         struct sz_bytes aad, struct sz_bytes plaintext, uint8_t *ciphertext,
                         uint8_t tag[SZ_TAG_SIZE]);

/* SZ_BAD_TAG if not authentic: out is wiped then. */
enum sz_code sz_gcm_open(const uint8_t key[SZ_AES_KEY_SIZE], const uint8_t nonce[SZ_NONCE_SIZE],
                         struct sz_bytes aad, struct sz_bytes ciphertext, const uint8_t tag[SZ_TAG_SIZE],
                         uint8_t *out);

/* As sz_gcm_open() for ciphertext that lies in memory shared with Linux: each piece is copied once into a
 * bounce buffer of this module and only the copy is looked at. digest: if not NULL, receives the SHA-256 of
 * aad-less ciphertext ‖ tag. shared: ciphertext ‖ tag, `length` bytes in all. out: length - SZ_TAG_SIZE
 * bytes, wiped unless SZ_OK is returned; NULL where only authenticity is asked. tag: if not NULL, receives
 * the tag that was checked. */
enum sz_code sz_gcm_open_shared(const uint8_t key[SZ_AES_KEY_SIZE], const uint8_t nonce[SZ_NONCE_SIZE],
                                struct sz_bytes aad, const volatile uint8_t *shared, size_t length,
                                uint8_t *out, uint8_t digest[SZ_SHA256_SIZE], uint8_t tag[SZ_TAG_SIZE]);

/* Ed25519 (RFC 8032). The private key is the 32-byte seed. */
enum sz_code sz_ed25519_generate(uint8_t seed[SZ_KEY_SIZE], uint8_t public_key[SZ_KEY_SIZE]);
enum sz_code sz_ed25519_sign(const uint8_t seed[SZ_KEY_SIZE], const uint8_t public_key[SZ_KEY_SIZE],
                             struct sz_bytes message, uint8_t signature[SZ_SIGNATURE_SIZE]);
/* The TEE keeps the last key that signed, since the device signs every label with the one that it has. To be
 * called when that key is given up. */
void sz_ed25519_forget(void);
/* SZ_BAD_SIGNATURE if it does not verify (S not reduced included); SZ_CRYPTO_FAILED if the TEE has no room
 * for the key: nothing is said of the signature then. */
enum sz_code sz_ed25519_verify(const uint8_t public_key[SZ_KEY_SIZE], struct sz_bytes message,
                               const uint8_t signature[SZ_SIGNATURE_SIZE]);

/* X25519 (RFC 7748). */
enum sz_code sz_x25519_generate(uint8_t private_key[SZ_KEY_SIZE], uint8_t public_key[SZ_KEY_SIZE]);
/* SZ_BAD_KEY for a public key that sz_x25519_acceptable() refuses or an all-zero result. shared is zeros
 * unless SZ_OK. */
enum sz_code sz_x25519_agree(const uint8_t private_key[SZ_KEY_SIZE], const uint8_t own_public[SZ_KEY_SIZE],
                             const uint8_t public_key[SZ_KEY_SIZE], uint8_t shared[SZ_KEY_SIZE]);
/* False for the small-order points: 0, 1, p - 1 and the two of order 8, also in non-canonical form (bit 255
 * is ignored, values are taken mod p). TEE_DeriveKey panics on them. */
bool sz_x25519_acceptable(const uint8_t public_key[SZ_KEY_SIZE]);

#endif
