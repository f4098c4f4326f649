/* The form in which a persistent object leaves the TEE. Layout (little endian):
 *   "SZTO" | version u32 | nonce 12 | AES-256-GCM over (type u32 | id length u32 | id | data) | tag 16
 * key  = HMAC-SHA256(hardware unique key, "storage key" | TA UUID)
 * name = HMAC-SHA256(key, "name" | id): files tell nothing of identifiers
 * AAD  = magic | version | TA UUID | name: an object put in another's place does not open
 * An older copy of the same object does open: nothing outside the files remembers them (no RPMB here, as on a
 * Pi). */
#ifndef SZ_SEALED_OBJECT_H
#define SZ_SEALED_OBJECT_H

#include "soft_tee.h"

#define SZ_SEALED_OVERHEAD (4u + 4u + 12u + 8u + TEE_OBJECT_ID_MAX_LEN + 16u)

void sz_object_name(const uint8_t *id, size_t id_size, uint8_t name[SZ_STORAGE_NAME_SIZE]);

/* *blob is allocated with malloc(). */
TEE_Result sz_object_seal(const uint8_t *id, size_t id_size, const uint8_t *data, size_t size, uint8_t **blob,
                          size_t *blob_size);

/* *data is allocated with malloc(). TEE_ERROR_CORRUPT_OBJECT when anything was changed. */
TEE_Result sz_object_open(const uint8_t *id, size_t id_size, const uint8_t *blob, size_t blob_size,
                          uint8_t **data, size_t *size);

#endif
