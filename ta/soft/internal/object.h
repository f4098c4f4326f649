/* Key objects. They live in the core, as OP-TEE's do: the TA holds handles, the core's heap is charged. */
#ifndef SZ_OBJECT_H
#define SZ_OBJECT_H

#include "tee.h"

#define SZ_KEY_25519_SIZE 32

struct sz_persistent;

struct __TEE_ObjectHandle {
    struct __TEE_ObjectHandle *next; /* all open handles: a handle that is not among them panics */
    uint32_t type;
    uint32_t max_bits, bits;
    uint32_t usage;
    uint32_t flags;
    size_t charged;
    struct sz_persistent *persistent; /* NULL for a transient object */
    uint8_t public_value[SZ_KEY_25519_SIZE];
    size_t capacity; /* of value, bytes */
    size_t length;
    uint8_t value[]; /* secret value, or private value */
};

/* Rules of one object type (GPD_SPE_010 tables 5-8 and 6-8, as OP-TEE's tee_svc_cryp.c has them). Bits. */
struct sz_key_rule {
    uint32_t type;
    uint32_t quantum, min_bits, max_bits;
    uint32_t secret;       /* attribute with the secret or private value, 0 if none */
    uint32_t public_value; /* attribute with the public value, 0 if none */
};
const struct sz_key_rule *sz_key_rule(uint32_t type);

/* Adds an object with room for `capacity` bytes of key; NULL when the core's heap is full. */
TEE_ObjectHandle sz_object_add(uint32_t type, uint32_t max_bits, size_t capacity);
void sz_object_remove(TEE_ObjectHandle object);
/* Panics unless `object` is an open handle. */
void sz_object_check(TEE_ObjectHandle object);
/* Panics unless it is a transient object. */
void sz_object_check_transient(TEE_ObjectHandle object);

/* Persistent objects (persistent.c) */
void sz_persistent_close(struct sz_persistent *file);
void sz_persistent_info(const struct sz_persistent *file, TEE_ObjectInfo *info);

#endif
