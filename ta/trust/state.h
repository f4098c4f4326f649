/* What survives a restart: one object in trusted storage, replaced as a whole, so that a power cut leaves it
 * before or after. Read once at start; the frame path makes no storage call. */
#ifndef SZ_STATE_H
#define SZ_STATE_H

#include "models/model.h"
#include "trust/kid.h"
#include <tee_internal_api.h>

enum {
    SZ_MAX_OWNERS = 3,
    SZ_ROSTER_MAX = 40 * 1024, /* bytes of a signed roster */
};

struct sz_state {
    struct sz_signing_key signing;     /* the device's identity */
    struct sz_agreement_key agreement; /* models are wrapped to it */
    uint32_t owner_count;              /* 0: unclaimed */
    uint8_t owners[SZ_MAX_OWNERS][SZ_KEY_SIZE];
    uint64_t owner_counter; /* last one accepted */
    uint64_t owner_time;    /* seconds: the latest time that an owner signed */
    struct sz_model_commitment model;
    struct sz_model_commitment previous; /* the last one confirmed before it; sequence 0: none */
    uint32_t trial_attempts;             /* starts of the model on trial (trial.h); 0: it is confirmed */
    uint32_t trial_labels;               /* labels of those starts, as far as they were stored */
    uint64_t model_floor;                /* highest sequence number ever committed, or set by the owner */
    uint64_t roster_floor;  /* highest roster version ever in force; a reset forgets the roster, not this */
    struct sz_bytes roster; /* as signed; secure heap, owned by the state; length 0: none */
};

/* Reads the object, or makes and stores an unclaimed identity where there is none. Anything else is an error,
 * so that a device does not silently become another one: TEE_ERROR_CORRUPT_OBJECT (damaged),
 * TEE_ERROR_STORAGE_NOT_AVAILABLE (cannot be read or written now), TEE_ERROR_OUT_OF_MEMORY,
 * TEE_ERROR_GENERIC. */
TEE_Result sz_state_load(void);

const struct sz_state *sz_state(void);

/* Stores `next` and, if that succeeded, makes it the state. A roster other than the present one must be a
 * TEE_Malloc allocation, which the state takes over (freed here on failure). */
enum sz_code sz_state_commit(const struct sz_state *next);

void sz_state_release(void);

/* New keys for an identity that was never used before. */
enum sz_code sz_state_new_identity(struct sz_state *state);

#endif
