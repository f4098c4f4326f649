/* Signed messages with their purpose as external_aad ("smart-zone/1/" + purpose), so that none can stand in
 * for another. */
#ifndef SZ_SIGNED_H
#define SZ_SIGNED_H

#include "trust/cose_sign1.h"

/* Verifies a read message for a purpose. BAD_SIGNATURE, TOO_LONG. */
enum sz_code sz_signed_verify(const struct sz_sign1 *message, const uint8_t public_key[SZ_KEY_SIZE],
                              const char *purpose);

/* Signs with the device's key into out; *length bytes. */
enum sz_code sz_signed_write(struct sz_bytes payload, const char *purpose, uint8_t *out, size_t capacity,
                             size_t *length);

/* external_aad of a purpose, in a buffer of 64 bytes. */
struct sz_bytes sz_purpose_aad(const char *purpose, uint8_t out[64]);

/* recipient_extra_info of an offer (CDDL hpke-context), in a buffer of 128 bytes. */
struct sz_bytes sz_hpke_context(const char *purpose, const uint8_t sender[SZ_KID_SIZE],
                                const uint8_t receiver[SZ_KID_SIZE], struct sz_bytes freshness,
                                uint8_t out[128]);

#endif
