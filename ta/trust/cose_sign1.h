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

enum {
    SZ_SIGN1_OVERHEAD = 96, /* bytes of a message beyond its payload, at most */
    SZ_SIGN1_STRUCTURE_OVERHEAD =
        48, /* bytes of the Sig_structure beyond payload and external_aad, at most */
};

/* Reads the form; the signature is not verified and the payload is not looked into. The message must lie in
 * memory that nobody else writes. SZ_MALFORMED, SZ_TRUNCATED, SZ_DUPLICATE_KEY, SZ_TRAILING_BYTES,
 * SZ_UNKNOWN_ALGORITHM. */
enum sz_code sz_sign1_read(struct sz_bytes message, struct sz_sign1 *out);

/* As above for a message whose payload is nil (detached, RFC 9052 section 4.1): payload is what must have
 * been signed. */
enum sz_code sz_sign1_read_detached(struct sz_bytes message, struct sz_bytes payload, struct sz_sign1 *out);

/* SZ_OK or SZ_BAD_SIGNATURE. scratch holds the Sig_structure, which OP-TEE's Ed25519 takes in one piece:
 * payload + external_aad + SZ_SIGN1_STRUCTURE_OVERHEAD bytes will do; SZ_TOO_LONG if it is too small. It must
 * not overlap the message. */
enum sz_code sz_sign1_verify(const struct sz_sign1 *message, const uint8_t public_key[SZ_KEY_SIZE],
                             struct sz_bytes external_aad, uint8_t *scratch, size_t scratch_size);

/* Signs payload and writes the message to out, *length bytes. The Sig_structure is assembled in out too:
 * payload + SZ_SIGN1_OVERHEAD bytes will do with up to 48 bytes of external_aad. payload and out must not
 * overlap. SZ_BUFFER_TOO_SMALL, SZ_CRYPTO_FAILED. */
enum sz_code sz_sign1_sign(const struct sz_signing_key *key, struct sz_bytes payload,
                           struct sz_bytes external_aad, uint8_t *out, size_t capacity, size_t *length);

#endif
