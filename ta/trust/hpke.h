/* HPKE base mode, single shot (RFC 9180, sections 5.1.1 and 6.1), suite DHKEM(X25519, HKDF-SHA256),
 * HKDF-SHA256, AES-128-GCM. */
#ifndef SZ_HPKE_H
#define SZ_HPKE_H

#include "trust/kid.h"

/* Opens `sealed` (ciphertext ‖ tag) that was sealed to `own` into out, sealed.length - SZ_TAG_SIZE bytes; out
 * must not overlap sealed. SZ_BAD_KEY for an unacceptable enc, SZ_BAD_TAG if not authentic (out is wiped
 * then), SZ_TRUNCATED if shorter than a tag, SZ_CRYPTO_FAILED. */
enum sz_code sz_hpke_open(const struct sz_agreement_key *own, const uint8_t enc[SZ_KEY_SIZE],
                          struct sz_bytes info, struct sz_bytes aad, struct sz_bytes sealed, uint8_t *out);

/* Seals for the holder of `recipient` under a fresh ephemeral key. sealed: plaintext.length + SZ_TAG_SIZE
 * bytes, not overlapping plaintext. SZ_BAD_KEY, SZ_CRYPTO_FAILED. */
enum sz_code sz_hpke_seal(const uint8_t recipient[SZ_KEY_SIZE], struct sz_bytes info, struct sz_bytes aad,
                          struct sz_bytes plaintext, uint8_t enc[SZ_KEY_SIZE], uint8_t *sealed);

#endif
