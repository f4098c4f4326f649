/* Which key and which additional data a record has (CDDL, "records"). */
#ifndef SZ_RECORD_KEY_H
#define SZ_RECORD_KEY_H

#include "trust/cbor_write.h"
#include "trust/cose_record.h"

enum sz_purpose { SZ_PURPOSE_FRAME = 1, SZ_PURPOSE_LABEL = 2, SZ_PURPOSE_TELEMETRY = 3 };

enum sz_code sz_record_key(const uint8_t secret[SZ_KEY_SIZE], enum sz_purpose purpose,
                           const uint8_t device[SZ_KID_SIZE], const uint8_t sender[SZ_KID_SIZE],
                           uint64_t epoch, uint8_t key[SZ_AES_KEY_SIZE]);

/* external_aad, in a buffer of SZ_RECORD_EXTERNAL_AAD bytes. */
struct sz_bytes sz_record_external_aad(enum sz_purpose purpose, const uint8_t device[SZ_KID_SIZE],
                                       const uint8_t sender[SZ_KID_SIZE],
                                       uint8_t out[SZ_RECORD_EXTERNAL_AAD]);

#endif
