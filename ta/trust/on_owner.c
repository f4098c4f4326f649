/* OWNER: claim, reset, rollback and rebase. ROSTER: who may talk to the device. */
#include "trust/boot.h"
#include "trust/calendar.h"
#include "trust/call.h"
#include "trust/cbor_read.h"
#include "trust/channel.h"
#include "trust/epoch.h"
#include "trust/members_seen.h"
#include "trust/roster.h"
#include "trust/signed.h"
#include "trust/state.h"
#include "trust/trial.h"

#include <string.h>

enum { COMMAND_CLAIM = 1, COMMAND_RESET = 2, COMMAND_ROLLBACK = 3, COMMAND_REBASE = 4 };
enum { REPLY_PAYLOAD_MAX = 160 };

struct statement {
    uint8_t device[SZ_KID_SIZE];
    uint64_t counter;
    uint8_t nonce[SZ_NONCE16_SIZE];
    uint64_t time;
    uint64_t command;
    uint64_t floor; /* of a rebase */
    uint32_t owner_count;
    uint8_t owners[SZ_MAX_OWNERS][SZ_KEY_SIZE];
};

static enum sz_code read_statement(struct sz_bytes payload, struct statement *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(payload);
    const enum sz_code code = sz_cbor_check(payload);
    const uint8_t *device, *nonce;
    size_t items;
    if (code != SZ_OK) {
        return code;
    }
    sz_cbor_map_of(&r, 5);
    sz_cbor_key(&r, 1);
    device = sz_cbor_bstr_of(&r, SZ_KID_SIZE);
    sz_cbor_key(&r, 2);
    out->counter = sz_cbor_uint(&r);
    sz_cbor_key(&r, 3);
    nonce = sz_cbor_bstr_of(&r, SZ_NONCE16_SIZE);
    sz_cbor_key(&r, 4);
    out->time = sz_cbor_uint(&r);
    sz_cbor_key(&r, 5);
    items = sz_cbor_array(&r);
    out->command = sz_cbor_uint(&r);
    if (items == 2 && out->command == COMMAND_CLAIM) {
        const size_t owners = sz_cbor_array(&r);
        if (owners == 0 || owners > SZ_MAX_OWNERS) {
            sz_cbor_fail(&r, SZ_MALFORMED);
        }
        for (size_t i = 0; i < owners && sz_cbor_error(&r) == SZ_OK; i++) {
            const uint8_t *const key = sz_cbor_bstr_of(&r, SZ_KEY_SIZE);
            if (key != NULL) {
                memcpy(out->owners[i], key, SZ_KEY_SIZE);
                out->owner_count++;
            }
        }
    } else if (items == 2 && out->command == COMMAND_REBASE) {
        out->floor = sz_cbor_uint(&r);
    } else if (items != 1 || (out->command != COMMAND_RESET && out->command != COMMAND_ROLLBACK)) {
        sz_cbor_fail(&r, SZ_MALFORMED);
    }
    if (sz_cbor_done(&r) == SZ_OK) {
        memcpy(out->device, device, SZ_KID_SIZE);
        memcpy(out->nonce, nonce, SZ_NONCE16_SIZE);
    }
    return sz_cbor_error(&r);
}

/* The key among these that has the signer's kid, or NULL. */
static const uint8_t *find_signer(const uint8_t (*keys)[SZ_KEY_SIZE], uint32_t count,
                                  const uint8_t kid[SZ_KID_SIZE])
{
    uint8_t own[SZ_KID_SIZE];
    for (uint32_t i = 0; i < count; i++) {
        if (sz_kid(SZ_CURVE_ED25519, keys[i], own) == SZ_OK && memcmp(own, kid, SZ_KID_SIZE) == 0) {
            return keys[i];
        }
    }
    return NULL;
}

/* A TA may be built for one owner (OWNER_KEY=): it then accepts no other claim. */
static bool claim_permitted(const uint8_t signer[SZ_KEY_SIZE])
{
#ifdef SZ_OWNER_KEY
    static const uint8_t only[SZ_KEY_SIZE] = SZ_OWNER_KEY;
    return memcmp(only, signer, SZ_KEY_SIZE) == 0;
#else
    (void)signer;
    return true;
#endif
}

static enum sz_code check_statement(const struct sz_sign1 *sign1, const struct statement *s)
{
    const struct sz_state *const state = sz_state();
    const bool claim = s->command == COMMAND_CLAIM, claimed = state->owner_count > 0;
    const uint8_t *const signer = claimed ? find_signer(state->owners, state->owner_count, sign1->kid)
                                          : find_signer(s->owners, s->owner_count, sign1->kid);
    enum sz_code code;
    if (!claimed && !claim) {
        return SZ_NOT_CLAIMED;
    }
    if (signer == NULL) {
        return claimed && claim ? SZ_ALREADY_CLAIMED : SZ_NOT_OWNER;
    }
    code = sz_signed_verify(sign1, signer, "owner");
    if (code != SZ_OK) {
        return code;
    }
    if (claimed && claim) {
        return SZ_ALREADY_CLAIMED;
    }
    if (memcmp(s->device, state->signing.kid, SZ_KID_SIZE) != 0) {
        return SZ_WRONG_DEVICE;
    }
    if (!sz_equal(s->nonce, claimed ? sz_boot()->nonce : sz_boot()->claim_nonce, SZ_NONCE16_SIZE)) {
        return SZ_STALE_NONCE;
    }
    if (s->counter <= state->owner_counter) {
        return SZ_STALE_COUNTER;
    }
    return claim && !claim_permitted(signer) ? SZ_NOT_OWNER : SZ_OK;
}

/* Nobody and nothing of before counts any more. */
static enum sz_code begin_anew(void)
{
    sz_model_release();
    sz_channel_close_all();
    sz_seen_clear();
    sz_roster_clear();
    const enum sz_code code = sz_boot_begin();
    sz_epoch_next();
    return code;
}

/* Claim and reset. */
static enum sz_code prepare_anew(const struct statement *s, struct sz_state *next)
{
    next->roster = SZ_BYTES(NULL, 0);
    sz_wipe(&next->model, sizeof next->model);
    sz_wipe(&next->previous, sizeof next->previous);
    next->trial_attempts = 0;
    next->trial_labels = 0;
    if (s->command == COMMAND_RESET) {
        return SZ_OK;
    }
    next->owner_count = s->owner_count;
    memcpy(next->owners, s->owners, sizeof next->owners);
    next->model_floor = 0; /* floors are a device's, and this is another one */
    next->roster_floor = 0;
    return sz_state_new_identity(
        next); /* never used before: a copy of the unclaimed state is another device */
}

/* A floor only rises: what lies below it stays refused, and clients that saw it stay right. */
static enum sz_code prepare_rebase(const struct statement *s, struct sz_state *next)
{
    if (s->floor <= next->model_floor) {
        return SZ_MODEL_SEQUENCE;
    }
    next->model_floor = s->floor;
    return SZ_OK;
}

static enum sz_code prepare(const struct statement *s, struct sz_state *next)
{
    next->owner_counter = s->counter;
    next->owner_time = s->time > next->owner_time ? s->time : next->owner_time;
    switch (s->command) {
    case COMMAND_ROLLBACK:
        return sz_trial_take_back(next);
    case COMMAND_REBASE:
        return prepare_rebase(s, next);
    default:
        return prepare_anew(s, next);
    }
}

static enum sz_code apply(const struct statement *s)
{
    struct sz_state next = *sz_state();
    enum sz_code code = prepare(s, &next);
    if (code == SZ_OK) {
        code = sz_state_commit(&next);
    }
    sz_wipe(&next, sizeof next);
    if (code != SZ_OK) {
        return code;
    }
    sz_calendar_owner(s->time);
    if (s->command == COMMAND_ROLLBACK) {
        sz_model_release(); /* the one before is to be loaded */
    } else if (s->command != COMMAND_REBASE) {
        code = begin_anew();
    }
    return code;
}

static enum sz_code write_reply(struct sz_call *call, const struct statement *s, enum sz_code status)
{
    uint8_t payload[REPLY_PAYLOAD_MAX];
    struct sz_cbor_writer w = sz_cbor_writer(payload, sizeof payload);
    sz_cbor_put_map(&w, 6);
    sz_cbor_put_uint(&w, 1);
    sz_cbor_put_bstr(&w, s->device, SZ_KID_SIZE);
    sz_cbor_put_uint(&w, 2);
    sz_cbor_put_uint(&w, s->counter);
    sz_cbor_put_uint(&w, 3);
    sz_cbor_put_bstr(&w, s->nonce, SZ_NONCE16_SIZE);
    sz_cbor_put_uint(&w, 4);
    sz_cbor_put_uint(&w, (uint64_t)status);
    sz_cbor_put_uint(&w, 5);
    sz_cbor_put_bstr(&w, sz_state()->signing.public_key, SZ_KEY_SIZE);
    sz_cbor_put_uint(&w, 6);
    sz_cbor_put_bstr(&w, sz_state()->agreement.public_key, SZ_KEY_SIZE);
    return sz_signed_write(SZ_BYTES(payload, sz_cbor_written(&w)), "owner-reply", call->reply,
                           call->reply_capacity, &call->reply_length);
}

enum sz_code sz_on_owner(struct sz_call *call)
{
    struct sz_sign1 sign1;
    struct statement s = {0};
    enum sz_code code = sz_sign1_read(call->message, &sign1), reply;
    if (code == SZ_OK) {
        code = read_statement(sign1.payload, &s);
    }
    if (code != SZ_OK) {
        return code; /* nothing to answer to */
    }
    if (call->reply_capacity < REPLY_PAYLOAD_MAX + SZ_SIGN1_OVERHEAD) {
        return SZ_BUFFER_TOO_SMALL; /* before anything takes effect */
    }
    code = check_statement(&sign1, &s);
    if (code == SZ_OK) {
        code = apply(&s);
    }
    reply = write_reply(call, &s, code);
    return code != SZ_OK ? code : reply;
}

enum sz_code sz_on_roster(struct sz_call *call)
{
    bool changed;
    const enum sz_code code = sz_roster_accept(call->message, &changed);
    if (code == SZ_OK && changed) {
        sz_model_load_abort();
        sz_channel_close_unauthorised();
        sz_epoch_next(); /* a revoked rules host cannot open the next label */
    }
    return code;
}
