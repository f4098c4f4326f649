/* What survives a restart: one object in trusted storage, replaced as a whole, so that a power cut leaves it
 * before or after. Read once at start; the frame path makes no storage call. */
#ifndef SZ_STATE_H
#define SZ_STATE_H

#include "models/model.h"
#include "trust/owners.h"
#include <tee_internal_api.h>

enum {
    SZ_ROSTER_MAX = 40 * 1024, /* bytes of a signed roster */
};

struct sz_state {
    struct sz_signing_key signing;     /* the device's identity */
    struct sz_agreement_key agreement; /* models are wrapped to it */
    bool has_next;                     /* keys that the roster may put in place of these */
    struct sz_signing_key next_signing;
    struct sz_agreement_key next_agreement;
    bool has_former; /* what was in place before, while the roster still lists it */
    uint8_t former_signing[SZ_KEY_SIZE];
    uint8_t former_kid[SZ_KID_SIZE];
    struct sz_agreement_key former_agreement; /* opens models that were wrapped to it */
    struct sz_owners owners;
    uint64_t owner_counter;            /* last one accepted */
    uint64_t owner_time;               /* seconds: the latest time that an owner signed */
    uint8_t statement[SZ_SHA256_SIZE]; /* digest of the last one that took effect; zeros: none */
    struct sz_model_commitment model;
    struct sz_model_commitment previous; /* the last one confirmed before it; sequence 0: none */
    uint32_t trial_attempts;             /* starts of the model on trial (trial.h); 0: it is confirmed */
    uint32_t trial_labels;               /* labels of those starts, as far as they were stored */
    uint64_t model_floor;                /* highest sequence number ever committed, or set by the owner */
    uint64_t roster_floor;  /* highest roster version in force under these owners; a reset keeps it */
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

/* Keys for sz_state_use_next_keys(); those that are there already stay. */
enum sz_code sz_state_make_next_keys(struct sz_state *state);

/* The next keys become the present ones, and these the former. */
void sz_state_use_next_keys(struct sz_state *state);

void sz_state_forget_next_keys(struct sz_state *state);
void sz_state_forget_former_keys(struct sz_state *state);

/* New keys for an identity that was never used before. */
enum sz_code sz_state_new_identity(struct sz_state *state);

#endif
