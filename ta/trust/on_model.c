/* MODEL_BEGIN, MODEL_SEGMENT, MODEL_STATUS: installing a signed model, and loading the committed one after a
 * restart. */
#include "trust/answer.h"
#include "trust/boot.h"
#include "trust/call.h"
#include "trust/cbor_read.h"
#include "trust/cbor_write.h"
#include "trust/cose_encrypt.h"
#include "trust/member_message.h"
#include "trust/signed.h"
#include "trust/state.h"
#include "trust/trial.h"

#include <string.h>

static const uint64_t SEQUENCE_STEP = 1 << 16;

static uintptr_t job_session; /* whose load is under way; says something only while there is one */
static uint64_t job_sequence; /* and of what */

/* The last model that was not taken, or did not survive its trial, since the TA started. sequence 0: none. */
static struct {
    uint64_t sequence;
    enum sz_code code;
} refused;

static enum sz_code remember(enum sz_code code, uint64_t sequence)
{
    if (code != SZ_OK && code != SZ_BUSY && code != SZ_MODEL_UNKNOWN && code != SZ_MODEL_ORDER &&
        sequence != 0) {
        refused.sequence = sequence;
        refused.code = code;
    }
    return code;
}

/* At most one job exists, and it is its session's alone. */
static bool busy_with_another(uintptr_t session)
{
    return sz_model_loading() && job_session != session;
}

void sz_session_ended(uintptr_t session)
{
    if (!sz_answer_busy(session)) {
        sz_answer_drop();
    }
    if (sz_model_loading() && job_session == session) {
        sz_model_load_abort();
    }
}

/* CDDL model-offer, without its encrypted part. */
struct model_offer {
    uint8_t digest[SZ_SHA256_SIZE];
    struct sz_bytes encrypted;
    struct sz_roster_order roster;
    uint64_t model;
};

static enum sz_code read_offer(struct sz_bytes payload, struct model_offer *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(payload);
    const enum sz_code code = sz_cbor_check(payload);
    const uint8_t *digest;
    size_t pairs;
    if (code != SZ_OK) {
        return code;
    }
    pairs = sz_cbor_map(&r);
    sz_cbor_key(&r, 1);
    digest = sz_cbor_bstr_of(&r, SZ_SHA256_SIZE);
    sz_cbor_key(&r, 2);
    out->encrypted = sz_cbor_bstr(&r);
    sz_cbor_key(&r, 3);
    out->roster.version = sz_cbor_uint(&r);
    sz_cbor_key(&r, 4);
    out->model = sz_cbor_uint(&r);
    if (pairs != 4u + sz_witness_read_generation(&r, 5, &out->roster)) {
        sz_cbor_fail(&r, SZ_MALFORMED);
    }
    if (sz_cbor_done(&r) == SZ_OK) {
        memcpy(out->digest, digest, SZ_SHA256_SIZE);
    }
    return sz_cbor_error(&r);
}

/* Opens what was wrapped to one pair of this device's keys. STALE_NONCE: to another. */
static enum sz_code unwrap(struct sz_bytes encrypted, const struct sz_member *publisher,
                           const struct sz_manifest *manifest, const struct sz_agreement_key *own,
                           const uint8_t device[SZ_KID_SIZE], uint8_t key[SZ_AES_KEY_SIZE])
{
    uint8_t aad[64], context[128];
    size_t length = 0;
    const enum sz_code code =
        sz_encrypt_open(encrypted, own,
                        sz_hpke_context("model-offer", publisher->kid, device,
                                        SZ_BYTES(manifest->digest, SZ_SHA256_SIZE), context),
                        sz_purpose_aad("model-offer", aad), key, SZ_AES_KEY_SIZE, &length);
    return code == SZ_OK && length != SZ_AES_KEY_SIZE ? SZ_MALFORMED : code;
}

/* The content key that this publisher wrapped to this device for this manifest. */
static enum sz_code open_offer(struct sz_bytes message, const struct sz_member *publisher,
                               const struct sz_manifest *manifest, uint8_t key[SZ_AES_KEY_SIZE])
{
    const struct sz_state *const state = sz_state();
    struct sz_sign1 sign1;
    struct model_offer offer;
    enum sz_code code = sz_sign1_read(message, &sign1);
    if (code == SZ_OK && memcmp(sign1.kid, publisher->kid, SZ_KID_SIZE) != 0) {
        code = SZ_UNKNOWN_SENDER;
    }
    if (code == SZ_OK) {
        code = sz_signed_verify(&sign1, publisher->signing, "model-offer");
    }
    if (code == SZ_OK) {
        code = read_offer(sign1.payload, &offer);
    }
    if (code != SZ_OK) {
        return code;
    }
    if (memcmp(offer.digest, manifest->digest, SZ_SHA256_SIZE) != 0) {
        return SZ_MODEL_DIGEST;
    }
    code = sz_witness_check(offer.roster, offer.model);
    if (code != SZ_OK) {
        return code;
    }
    code = unwrap(offer.encrypted, publisher, manifest, &state->agreement, state->signing.kid, key);
    if (code == SZ_STALE_NONCE && state->has_former) {
        code = unwrap(offer.encrypted, publisher, manifest, &state->former_agreement, state->former_kid, key);
    }
    if (code == SZ_STALE_NONCE) {
        return SZ_WRONG_DEVICE; /* sealed to another static key */
    }
    return code;
}

static enum sz_code check_sequence(uint64_t sequence)
{
    const uint64_t floor = sz_state()->model_floor;
    return sequence > floor && sequence - floor <= SEQUENCE_STEP ? SZ_OK : SZ_MODEL_SEQUENCE;
}

static enum sz_code begin_install(struct sz_bytes envelope, struct sz_bytes offer,
                                  const struct sz_manifest *manifest)
{
    uint8_t key[SZ_AES_KEY_SIZE] = {0};
    const struct sz_member *publisher;
    enum sz_code code = sz_roster_authorise(manifest->signer, SZ_ROLE_PUBLISHER, &publisher);
    if (code == SZ_OK) {
        code = sz_manifest_verify(envelope.at, envelope.length, publisher->signing);
    }
    if (code == SZ_OK) {
        code = check_sequence(manifest->sequence);
    }
    if (code == SZ_OK) {
        code = open_offer(offer, publisher, manifest, key);
    }
    if (code == SZ_OK) {
        code = sz_model_load_begin(manifest, key, true);
    }
    sz_wipe(key, sizeof key);
    return code;
}

/* The manifest was verified before it was committed: its digest is all that is needed. */
static enum sz_code begin_load(const struct sz_manifest *manifest)
{
    const struct sz_model_commitment *const committed = &sz_state()->model;
    if (committed->sequence == 0 ||
        !sz_equal(committed->manifest_digest, manifest->digest, sizeof committed->manifest_digest)) {
        return SZ_MODEL_UNKNOWN;
    }
    const enum sz_code code = sz_trial_start();
    return code == SZ_OK ? sz_model_load_begin(manifest, sz_state()->model.content_key, false) : code;
}

static enum sz_code tell_shortage(struct sz_call *call, enum sz_code code)
{
    if (code == SZ_MODEL_MEMORY) {
        sz_model_shortage(&call->b, &call->c, &call->d);
    }
    return code;
}

enum sz_code sz_on_model_begin(struct sz_call *call)
{
    struct sz_cbor_reader r = sz_cbor_reader(call->message);
    struct sz_bytes envelope, offer = {NULL, 0};
    struct sz_manifest manifest;
    enum sz_code code = sz_cbor_check(call->message);
    bool install;
    if (code != SZ_OK) {
        return code;
    }
    if (busy_with_another(call->session)) {
        return SZ_BUSY;
    }
    sz_cbor_array_of(&r, 2);
    envelope = sz_cbor_bstr(&r);
    install = !sz_cbor_null_or_not(&r);
    if (install) {
        offer = sz_cbor_bstr(&r);
    }
    code = sz_cbor_done(&r);
    if (code == SZ_OK) {
        code = sz_manifest_read(envelope.at, envelope.length, &manifest);
    }
    if (code == SZ_OK) {
        code = install ? begin_install(envelope, offer, &manifest) : begin_load(&manifest);
        remember(code, manifest.sequence);
    }
    if (code == SZ_OK) { /* a refused one leaves the session's load under way as it is */
        job_sequence = manifest.sequence;
        job_session = call->session;
    }
    call->b = 0; /* the header comes first */
    return tell_shortage(call, code);
}

/* Commits, then activates: a power cut in between leaves the new model committed and loaded at the next
 * start. */
static enum sz_code commit(void)
{
    struct sz_state next = *sz_state();
    struct sz_model_commitment loaded;
    enum sz_code code;
    sz_model_loaded_commitment(&loaded);
    sz_trial_enter(&next, &loaded);
    code = sz_state_commit(&next);
    if (code == SZ_OK) {
        sz_trial_entered();
    }
    sz_wipe(&next, sizeof next);
    sz_wipe(&loaded, sizeof loaded);
    return code;
}

enum sz_code sz_on_model_segment(struct sz_call *call)
{
    bool loaded = false;
    enum sz_code code;
    if (busy_with_another(call->session)) {
        return SZ_BUSY;
    }
    const bool install = sz_model_loading();
    code = sz_model_load_segment(call->a, call->shared, call->shared_length, &call->b, &loaded);
    if (code == SZ_OK && loaded && sz_model_loaded_is_install()) {
        code = commit();
        if (code != SZ_OK) {
            sz_model_load_abort();
        }
    }
    remember(code, install ? job_sequence : 0);
    if (code == SZ_OK && loaded) {
        call->b = sz_model_activate();
    }
    if (code == SZ_OK && !sz_model_loading()) {
        call->c = 1;
        call->d = (uint32_t)sz_model_streamed();
    }
    return tell_shortage(call, code);
}

static void put_model(struct sz_cbor_writer *w, int64_t key, const struct sz_model_commitment *model)
{
    sz_cbor_put_int(w, key);
    sz_cbor_put_array(w, 2);
    sz_cbor_put_uint(w, model->sequence);
    sz_cbor_put_bstr(w, model->manifest_digest, sizeof model->manifest_digest);
}

/* CDDL model-status */
static size_t write_status(uint8_t *payload, size_t capacity)
{
    const struct sz_state *const state = sz_state();
    struct sz_cbor_writer w = sz_cbor_writer(payload, capacity);
    uint32_t labels;
    const bool trial = sz_trial_running(&labels), committed = state->model.sequence != 0;
    const bool previous = state->previous.sequence != 0, failed = refused.sequence != 0;
    sz_cbor_put_map(&w, 4u + committed + trial + previous + failed);
    sz_cbor_put_int(&w, 1);
    sz_cbor_put_bstr(&w, state->signing.kid, SZ_KID_SIZE);
    sz_cbor_put_int(&w, 2);
    sz_cbor_put_bstr(&w, sz_boot()->nonce, SZ_NONCE16_SIZE);
    sz_cbor_put_int(&w, 3);
    sz_cbor_put_uint(&w, state->model_floor);
    sz_cbor_put_int(&w, 4);
    sz_cbor_put_bool(&w, sz_model_active());
    if (committed) {
        put_model(&w, 5, &state->model);
    }
    if (trial) {
        sz_cbor_put_int(&w, 6);
        sz_cbor_put_array(&w, 2);
        sz_cbor_put_uint(&w, labels);
        sz_cbor_put_uint(&w, state->trial_attempts);
    }
    if (previous) {
        put_model(&w, 7, &state->previous);
    }
    if (failed) {
        sz_cbor_put_int(&w, 8);
        sz_cbor_put_array(&w, 2);
        sz_cbor_put_uint(&w, refused.sequence);
        sz_cbor_put_uint(&w, (uint64_t)refused.code);
    }
    return sz_cbor_written(&w);
}

enum sz_code sz_on_model_status(struct sz_call *call)
{
    uint8_t payload[256];
    uint32_t labels;
    const enum sz_code code = sz_trial_settle();
    if (code != SZ_OK) {
        return code;
    }
    call->b = sz_model_growth_wanted();
    call->c = sz_trial_running(&labels) ? 1 : 0;
    return sz_signed_write(SZ_BYTES(payload, write_status(payload, sizeof payload)), "model-status",
                           call->reply, call->reply_capacity, &call->reply_length);
}
