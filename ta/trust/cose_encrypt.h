/* COSE_Encrypt with COSE-HPKE Key Encryption (draft-ietf-cose-hpke-27) in this protocol's one form:
 * 96([<< {1: 1 (A128GCM)} >>, {5: IV of 12 bytes}, ciphertext ‖ tag,
 *     [1*16 [<< {1: 49 (HPKE-3-KE), 4: kid of the recipient's X25519 key} >>, {-4: encapsulated key}, sealed
 * content key]]]). HPKE info = ["HPKE Recipient", 1, recipient's protected header, recipient_extra_info];
 * HPKE aad empty. */
#ifndef SZ_COSE_ENCRYPT_H
#define SZ_COSE_ENCRYPT_H

#include "trust/hpke.h"

enum {
    SZ_ENCRYPT_MAX_RECIPIENTS = 16,
    SZ_ENCRYPT_EXTERNAL_AAD = 64, /* most bytes of external_aad */
    SZ_ENCRYPT_EXTRA_INFO = 128,  /* most bytes of recipient_extra_info */
    SZ_ENCRYPT_OVERHEAD = 136,    /* bytes beyond the plaintext, tag included, at most, to one recipient */
};

/* Opens a message sealed to `own` into out, *length bytes; nothing of the plaintext is left in out unless
 * SZ_OK. All recipients must have the form, not only ours. The message must lie in memory that nobody else
 * writes, and out must not overlap it. SZ_MALFORMED, SZ_TRUNCATED, SZ_DUPLICATE_KEY, SZ_TRAILING_BYTES,
 * SZ_UNKNOWN_ALGORITHM for the form; SZ_STALE_NONCE where no recipient has our key's kid (sealed to the
 * prekey of another boot); SZ_DECRYPT_FAILED where it does not authenticate; SZ_BAD_KEY for the encapsulated
 * key; SZ_TOO_LONG (out, external_aad, extra_info); SZ_CRYPTO_FAILED. */
enum sz_code sz_encrypt_open(struct sz_bytes message, const struct sz_agreement_key *own,
                             struct sz_bytes extra_info, struct sz_bytes external_aad, uint8_t *out,
                             size_t capacity, size_t *length);

/* Seals plaintext to one recipient under a fresh content key, IV and ephemeral key, into out, *length bytes.
 * plaintext and out must not overlap. SZ_BUFFER_TOO_SMALL, SZ_BAD_KEY, SZ_TOO_LONG, SZ_CRYPTO_FAILED. */
enum sz_code sz_encrypt_seal(const uint8_t recipient[SZ_KEY_SIZE], struct sz_bytes extra_info,
                             struct sz_bytes external_aad, struct sz_bytes plaintext, uint8_t *out,
                             size_t capacity, size_t *length);

#endif
