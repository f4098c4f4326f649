/* OWNER: claim, reset, rollback, rebase and rotate. ROSTER: who may talk to the device. */
#include "trust/answer.h"
#include "trust/boot.h"
#include "trust/calendar.h"
#include "trust/call.h"
#include "trust/channel.h"
#include "trust/epoch.h"
#include "trust/members_seen.h"
#include "trust/owner_statement.h"
#include "trust/roster.h"
#include "trust/signed.h"
#include "trust/state.h"
#include "trust/trial.h"

#include <string.h>

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

static enum sz_code check_statement(const struct sz_sign1 *sign1, const struct sz_owner_statement *s)
{
    const struct sz_state *const state = sz_state();
    const bool claim = s->command == SZ_OWNER_CLAIM, claimed = state->owners.count > 0;
    const uint8_t *const signer = sz_owners_find(claimed ? &state->owners : &s->owners, sign1->kid);
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

/* Channels, what members were seen to say, and the prekey end with the boot. */
static void begin_boot(const struct sz_boot *boot)
{
    sz_answer_drop();
    sz_channel_close_all();
    sz_seen_clear();
    sz_boot_begin(boot);
    sz_epoch_next();
}

/* Claim and reset. */
static enum sz_code prepare_anew(const struct sz_owner_statement *s, struct sz_state *next)
{
    next->roster = SZ_BYTES(NULL, 0);
    sz_wipe(&next->model, sizeof next->model);
    sz_wipe(&next->previous, sizeof next->previous);
    next->trial_attempts = 0;
    next->trial_labels = 0;
    sz_state_forget_next_keys(next);
    sz_state_forget_former_keys(next);
    if (s->command == SZ_OWNER_RESET) {
        return SZ_OK;
    }
    next->owners = s->owners;
    next->model_floor = 0; /* floors are a device's, and this is another one */
    next->roster_floor = 0;
    return sz_state_new_identity(
        next); /* never used before: a copy of the unclaimed state is another device */
}

/* A floor only rises: what lies below it stays refused, and clients that saw it stay right. */
static enum sz_code prepare_rebase(const struct sz_owner_statement *s, struct sz_state *next)
{
    if (s->floor <= next->model_floor) {
        return SZ_MODEL_SEQUENCE;
    }
    next->model_floor = s->floor;
    return SZ_OK;
}

static enum sz_code prepare(const struct sz_owner_statement *s, struct sz_state *next)
{
    next->owner_counter = s->counter;
    next->owner_time = s->time > next->owner_time ? s->time : next->owner_time;
    memcpy(next->statement, s->digest, sizeof next->statement);
    switch (s->command) {
    case SZ_OWNER_ROLLBACK:
        return sz_trial_take_back(next);
    case SZ_OWNER_REBASE:
        return prepare_rebase(s, next);
    case SZ_OWNER_ROTATE:
        return sz_state_make_next_keys(next);
    case SZ_OWNER_CLAIM:
    case SZ_OWNER_RESET:
    default:
        return prepare_anew(s, next);
    }
}

/* Stores what the statement makes of the state; *boot is drawn first where a new one will begin, so that
 * nothing can fail once the statement is stored. */
static enum sz_code commit(const struct sz_owner_statement *s, bool anew, struct sz_boot *boot)
{
    struct sz_state next = *sz_state();
    enum sz_code code = prepare(s, &next);
    if (code == SZ_OK && anew) {
        code = sz_boot_draw(boot);
    }
    if (code == SZ_OK) {
        code = sz_state_commit(&next);
    }
    sz_wipe(&next, sizeof next);
    return code;
}

static enum sz_code apply(const struct sz_owner_statement *s)
{
    const bool anew = s->command == SZ_OWNER_CLAIM || s->command == SZ_OWNER_RESET;
    struct sz_boot boot;
    const enum sz_code code = commit(s, anew, &boot);
    if (code == SZ_OK) {
        sz_calendar_owner(s->time);
        if (anew || s->command == SZ_OWNER_ROLLBACK) {
            sz_model_release(); /* after a rollback the one before is to be loaded */
        }
        if (anew) { /* nobody and nothing of before counts any more */
            sz_roster_clear();
            begin_boot(&boot);
        }
    }
    sz_wipe(&boot, sizeof boot);
    return code;
}

/* The statement that took effect last comes again: its answer was lost on the way, and is given again. */
static bool in_effect(const struct sz_owner_statement *s)
{
    return sz_state()->owners.count > 0 && sz_equal(s->digest, sz_state()->statement, sizeof s->digest);
}

enum sz_code sz_on_owner(struct sz_call *call)
{
    struct sz_sign1 sign1;
    struct sz_owner_statement s;
    enum sz_code code = sz_owner_statement_read(call->message, &sign1, &s), reply;
    if (code != SZ_OK) {
        return code; /* nothing to answer to */
    }
    if (call->reply_capacity < SZ_OWNER_REPLY_MAX) {
        return SZ_BUFFER_TOO_SMALL; /* before anything takes effect */
    }
    if (!in_effect(&s)) {
        code = check_statement(&sign1, &s);
        if (code == SZ_OK) {
            code = apply(&s);
        }
    }
    reply = sz_owner_reply_write(call, &s, code);
    return code != SZ_OK ? code : reply;
}

enum sz_code sz_on_roster(struct sz_call *call)
{
    enum sz_roster_change change = SZ_ROSTER_SAME;
    struct sz_boot boot; /* for a roster that puts new keys in place: nothing can fail after that */
    enum sz_code code = sz_boot_draw(&boot);
    if (code == SZ_OK) {
        code = sz_roster_accept(call->message, &change);
    }
    if (code == SZ_OK && change != SZ_ROSTER_SAME) {
        sz_model_load_abort();
        if (change == SZ_ROSTER_NEW_KEYS) {
            begin_boot(&boot); /* the model stays: its key is the state's */
        } else {
            sz_channel_close_unauthorised();
            sz_epoch_next(); /* a revoked rules host cannot open the next label */
        }
    }
    sz_wipe(&boot, sizeof boot);
    return code;
}
