/* COSE_Sign1 (RFC 9052, section 4.2) in this protocol's one form:
 * 18([<< {1: -8 (EdDSA), 4: kid of 8 bytes} >>, {}, payload, signature of 64 bytes]). */
#ifndef SZ_COSE_SIGN1_H
#define SZ_COSE_SIGN1_H

#include "trust/kid.h"

/* Views into the message. */
struct sz_sign1 {
    struct sz_bytes protected_header;
    const uint8_t *kid; /* SZ_KID_SIZE: who claims to have signed */
    struct sz_bytes payload;
    const uint8_t *signature; /* SZ_SIGNATURE_SIZE */
};

/* Largest sum of Sig_structure bytes around payload: array head, context, protected header, and the heads of
 * external_aad and payload. Scratch for verify and sign: payload + external_aad + this. */
enum { SZ_SIGN1_STRUCTURE_OVERHEAD = 48 };

/* Bytes of a finished message beyond its payload, at most. */
enum { SZ_SIGN1_OVERHEAD = 96 };

/* Reads the form; the signature is not verified and the payload is not looked into. The message must lie in
 * memory that nobody else writes. SZ_MALFORMED, SZ_TRUNCATED, SZ_DUPLICATE_KEY, SZ_TRAILING_BYTES,
 * SZ_UNKNOWN_ALGORITHM. */
enum sz_code sz_sign1_read(struct sz_bytes message, struct sz_sign1 *out);

/* As above for a message whose payload is nil (detached, RFC 9052 section 4.1): payload is what must have
 * been signed. */
enum sz_code sz_sign1_read_detached(struct sz_bytes message, struct sz_bytes payload, struct sz_sign1 *out);

/* SZ_OK or SZ_BAD_SIGNATURE; SZ_TOO_LONG if the scratch does not hold the Sig_structure (Ed25519 is one-shot
 * in OP-TEE: the whole structure is assembled). */
enum sz_code sz_sign1_verify(const struct sz_sign1 *message, const uint8_t public_key[SZ_KEY_SIZE],
                             struct sz_bytes external_aad, uint8_t *scratch, size_t scratch_size);

/* Signs payload and writes the message to out, *length bytes. out may be the same buffer that holds the
 * payload nowhere: payload, scratch and out must not overlap. SZ_BUFFER_TOO_SMALL, SZ_TOO_LONG (scratch),
 * SZ_CRYPTO_FAILED. */
enum sz_code sz_sign1_sign(const struct sz_signing_key *key, struct sz_bytes payload,
                           struct sz_bytes external_aad, uint8_t *scratch, size_t scratch_size, uint8_t *out,
                           size_t capacity, size_t *length);

#endif
