/* Records: COSE_Encrypt0 (RFC 9052, section 5.2) in this protocol's one form:
 * 16([<< {1: 1 (A128GCM), 4: channel id of 8 bytes, 6: Partial IV of 1 to 5 bytes} >>, {}, ciphertext ‖
 * tag]). The Partial IV is the record's number, big-endian without leading zero; base IV: 12 zero bytes. The
 * ciphertext ends the record, so a big one is read in two steps: header from a copied prefix, then the
 * ciphertext out of shared memory. */
#ifndef SZ_COSE_RECORD_H
#define SZ_COSE_RECORD_H

#include "trust/kid.h"

enum {
    SZ_CHANNEL_ID_SIZE = 8,
    SZ_RECORD_PREFIX = 128,      /* enough of a record to read its header from */
    SZ_RECORD_OVERHEAD = 48,     /* bytes of a record beyond its plaintext, tag included, at most */
    SZ_RECORD_EXTERNAL_AAD = 64, /* most bytes of external_aad */
};
#define SZ_RECORD_LAST_NUMBER UINT64_C(0xffffffffff)

struct sz_record_header {
    uint8_t channel[SZ_CHANNEL_ID_SIZE];
    uint64_t number;              /* 0..SZ_RECORD_LAST_NUMBER */
    uint8_t protected_header[32]; /* as received: it is authenticated */
    size_t protected_length;
    size_t ciphertext_at;     /* offset in the record */
    size_t ciphertext_length; /* with the tag; SZ_TAG_SIZE at least; ends the record */
};

/* Reads the header of a record of total_length bytes from its first bytes (all of it or SZ_RECORD_PREFIX of
 * it, copied out of shared memory). Keeps no pointer. SZ_MALFORMED, SZ_TRUNCATED, SZ_TRAILING_BYTES,
 * SZ_UNKNOWN_ALGORITHM, SZ_DUPLICATE_KEY. */
enum sz_code sz_record_read(struct sz_bytes prefix, size_t total_length, struct sz_record_header *out);

/* Decrypts a record from shared memory into secure memory, copying each byte once. `shared` is the whole
 * record whose header was read. out: ciphertext_length - SZ_TAG_SIZE bytes, *length; wiped unless SZ_OK;
 * NULL where only authenticity is asked.
 * digest, tag: as in sz_gcm_open_shared(), or NULL. SZ_BAD_TAG, SZ_TOO_LONG (out or external_aad),
 * SZ_CRYPTO_FAILED. */
enum sz_code sz_record_open(const struct sz_record_header *header, const uint8_t key[SZ_AES_KEY_SIZE],
                            struct sz_bytes external_aad, const volatile uint8_t *shared, uint8_t *out,
                            size_t capacity, size_t *length, uint8_t digest[SZ_SHA256_SIZE],
                            uint8_t tag[SZ_TAG_SIZE]);

/* Seals a record into out, *length bytes. The caller reserved the number: a number is never used twice under
 * one key. plaintext and out must not overlap. SZ_BUFFER_TOO_SMALL, SZ_CHANNEL_FULL (number too great),
 * SZ_TOO_LONG (external_aad), SZ_CRYPTO_FAILED. */
enum sz_code sz_record_seal(const uint8_t channel[SZ_CHANNEL_ID_SIZE], uint64_t number,
                            const uint8_t key[SZ_AES_KEY_SIZE], struct sz_bytes external_aad,
                            struct sz_bytes plaintext, uint8_t *out, size_t capacity, size_t *length);

/* 12 zero bytes XOR the number as left-padded Partial IV (RFC 9052, section 3.1). */
void sz_record_nonce(uint64_t number, uint8_t nonce[SZ_NONCE_SIZE]);

#endif
