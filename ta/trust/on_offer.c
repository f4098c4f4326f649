/* OFFER: a sensor opens a channel. RULES_HELLO: a rules host gets the present label epoch. */
#include "trust/boot.h"
#include "trust/calendar.h"
#include "trust/call.h"
#include "trust/cbor_read.h"
#include "trust/channel.h"
#include "trust/cose_encrypt.h"
#include "trust/epoch.h"
#include "trust/members_seen.h"
#include "trust/roster.h"
#include "trust/signed.h"
#include "trust/state.h"
#include "trust/statistics.h"

#include <string.h>

enum { OFFER_PLAINTEXT_MAX = 256 };

/* Clients are the witnesses of rollback: one that has seen newer state than ours proves that ours was put
 * back. */
static enum sz_code check_witness(uint64_t roster, uint64_t model)
{
    return roster > sz_roster_version() || model > sz_state()->model_floor ? SZ_STATE_ROLLED_BACK : SZ_OK;
}

/* Reads, verifies and authorises a member's message for this purpose. *again: it is the last one accepted,
 * once more. */
static enum sz_code open_member_message(struct sz_bytes message, const char *purpose, enum sz_role role,
                                        struct sz_sign1 *sign1, const struct sz_member **member,
                                        uint8_t digest[SZ_SHA256_SIZE], bool *again)
{
    enum sz_code code = sz_sign1_read(message, sign1);
    *again = false;
    if (code != SZ_OK) {
        return code;
    }
    *member = sz_roster_find(sign1->kid);
    if (*member == NULL) {
        return SZ_UNKNOWN_SENDER;
    }
    code = sz_signed_verify(sign1, (*member)->signing, purpose);
    if (code == SZ_OK) {
        code = sz_roster_authorise(sign1->kid, role, member);
    }
    if (code == SZ_OK) {
        code = sz_sha256(message, digest);
        *again = code == SZ_OK && sz_seen_again(sign1->kid, digest);
    }
    return code;
}

struct offer {
    uint8_t id[SZ_CHANNEL_ID_SIZE];
    uint8_t secret[SZ_KEY_SIZE];
    struct sz_input_shape shape;
    uint64_t counter, roster, model, time;
};

static enum sz_code read_offer(struct sz_bytes plaintext, struct offer *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(plaintext);
    const enum sz_code code = sz_cbor_check(plaintext);
    const uint8_t *id, *secret;
    if (code != SZ_OK) {
        return code;
    }
    sz_cbor_map_of(&r, 7);
    sz_cbor_key(&r, 1);
    id = sz_cbor_bstr_of(&r, SZ_CHANNEL_ID_SIZE);
    sz_cbor_key(&r, 2);
    secret = sz_cbor_bstr_of(&r, SZ_KEY_SIZE);
    sz_cbor_key(&r, 3);
    sz_input_shape_read(&r, &out->shape);
    sz_cbor_key(&r, 4);
    out->counter = sz_cbor_uint(&r);
    sz_cbor_key(&r, 5);
    out->roster = sz_cbor_uint(&r);
    sz_cbor_key(&r, 6);
    out->model = sz_cbor_uint(&r);
    sz_cbor_key(&r, 7);
    out->time = sz_cbor_uint(&r);
    if (sz_cbor_done(&r) != SZ_OK) {
        return sz_cbor_error(&r);
    }
    memcpy(out->id, id, SZ_CHANNEL_ID_SIZE);
    memcpy(out->secret, secret, SZ_KEY_SIZE);
    return SZ_OK;
}

/* Opens the encrypted payload sealed to this boot's prekey. */
static enum sz_code open_offer(const struct sz_sign1 *sign1, struct offer *out)
{
    uint8_t plaintext[OFFER_PLAINTEXT_MAX], aad[64], context[128];
    size_t length = 0;
    enum sz_code code = sz_encrypt_open(sign1->payload, &sz_boot()->prekey,
                                        sz_hpke_context("offer", sign1->kid, sz_state()->signing.kid,
                                                        SZ_BYTES(sz_boot()->nonce, SZ_NONCE16_SIZE), context),
                                        sz_purpose_aad("offer", aad), plaintext, sizeof plaintext, &length);
    if (code == SZ_OK) {
        code = read_offer(SZ_BYTES(plaintext, length), out);
    }
    sz_wipe(plaintext, sizeof plaintext);
    return code;
}

static enum sz_code accept_offer(const uint8_t sensor[SZ_KID_SIZE], const struct offer *offer)
{
    uint8_t key[SZ_AES_KEY_SIZE];
    enum sz_code code = sz_seen_check(sensor, offer->counter);
    if (code == SZ_OK) {
        code = check_witness(offer->roster, offer->model);
    }
    if (code == SZ_OK && sz_model_active() && !sz_input_shape_equal(&offer->shape, sz_model_input())) {
        code = SZ_BAD_FRAME;
    }
    if (code == SZ_OK) {
        code = sz_record_key(offer->secret, SZ_PURPOSE_FRAME, sz_state()->signing.kid, sensor, 0, key);
    }
    if (code == SZ_OK) {
        code = sz_channel_open(sensor, offer->id, key, offer->counter, &offer->shape);
    }
    sz_wipe(key, sizeof key);
    return code;
}

enum sz_code sz_on_offer(struct sz_call *call)
{
    struct sz_sign1 sign1;
    const struct sz_member *member;
    struct offer offer = {0};
    uint8_t digest[SZ_SHA256_SIZE];
    bool again;
    enum sz_code code =
        open_member_message(call->message, "offer", SZ_ROLE_SENSOR, &sign1, &member, digest, &again);
    if (code != SZ_OK) {
        return code;
    }
    sz_call_return_kid(call, sign1.kid);
    if (again) {
        return SZ_OK; /* retained offers come again on every reconnect */
    }
    code = open_offer(&sign1, &offer);
    if (code == SZ_OK) {
        code = accept_offer(sign1.kid, &offer);
    }
    if (code == SZ_OK) {
        sz_seen_note(sign1.kid, offer.counter, digest);
        sz_calendar_offer(offer.time);
        sz_count(SZ_COUNT_OFFERS);
    }
    sz_wipe(&offer, sizeof offer);
    return code;
}

struct rules_hello {
    const uint8_t *device, *nonce, *prekey;
    uint64_t time, roster, model;
};

static enum sz_code read_rules_hello(struct sz_bytes payload, struct rules_hello *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(payload);
    const enum sz_code code = sz_cbor_check(payload);
    if (code != SZ_OK) {
        return code;
    }
    sz_cbor_map_of(&r, 6);
    sz_cbor_key(&r, 1);
    out->device = sz_cbor_bstr_of(&r, SZ_KID_SIZE);
    sz_cbor_key(&r, 2);
    out->nonce = sz_cbor_bstr_of(&r, SZ_NONCE16_SIZE);
    sz_cbor_key(&r, 3);
    out->prekey = sz_cbor_bstr_of(&r, SZ_KEY_SIZE);
    sz_cbor_key(&r, 4);
    out->time = sz_cbor_uint(&r);
    sz_cbor_key(&r, 5);
    out->roster = sz_cbor_uint(&r);
    sz_cbor_key(&r, 6);
    out->model = sz_cbor_uint(&r);
    return sz_cbor_done(&r);
}

/* The present epoch, sealed to the rules host's prekey and bound to its fresh nonce. */
static enum sz_code write_label_offer(struct sz_call *call, const uint8_t host[SZ_KID_SIZE],
                                      const struct rules_hello *hello)
{
    const struct sz_epoch *const epoch = sz_epoch_now();
    const uint8_t *const device = sz_state()->signing.kid;
    uint8_t plaintext[OFFER_PLAINTEXT_MAX], sealed[OFFER_PLAINTEXT_MAX + SZ_ENCRYPT_OVERHEAD], aad[64],
        context[128];
    struct sz_cbor_writer w = sz_cbor_writer(plaintext, sizeof plaintext);
    size_t length = 0;
    enum sz_code code;
    sz_cbor_put_map(&w, 6);
    sz_cbor_put_uint(&w, 1);
    sz_cbor_put_bstr(&w, epoch->channel, SZ_CHANNEL_ID_SIZE);
    sz_cbor_put_uint(&w, 2);
    sz_cbor_put_bstr(&w, epoch->secret, SZ_KEY_SIZE);
    sz_cbor_put_uint(&w, 3);
    sz_cbor_put_uint(&w, epoch->number);
    sz_cbor_put_uint(&w, 4);
    sz_cbor_put_bstr(&w, sz_boot()->nonce, SZ_NONCE16_SIZE);
    sz_cbor_put_uint(&w, 5);
    sz_cbor_put_uint(&w, sz_roster_version());
    sz_cbor_put_uint(&w, 6);
    sz_cbor_put_uint(&w, sz_state()->model.sequence);
    code = sz_encrypt_seal(
        hello->prekey,
        sz_hpke_context("label-offer", device, host, SZ_BYTES(hello->nonce, SZ_NONCE16_SIZE), context),
        sz_purpose_aad("label-offer", aad), SZ_BYTES(plaintext, sz_cbor_written(&w)), sealed, sizeof sealed,
        &length);
    sz_wipe(plaintext, sizeof plaintext);
    call->b = (uint32_t)epoch->number;
    return code != SZ_OK ? code
                         : sz_signed_write(SZ_BYTES(sealed, length), "label-offer", call->reply,
                                           call->reply_capacity, &call->reply_length);
}

enum sz_code sz_on_rules_hello(struct sz_call *call)
{
    struct sz_sign1 sign1;
    const struct sz_member *member;
    struct rules_hello hello;
    uint8_t digest[SZ_SHA256_SIZE];
    bool again;
    enum sz_code code =
        open_member_message(call->message, "rules-hello", SZ_ROLE_RULES, &sign1, &member, digest, &again);
    if (code == SZ_OK) {
        code = read_rules_hello(sign1.payload, &hello);
    }
    if (code != SZ_OK) {
        return code;
    }
    if (memcmp(hello.device, sz_state()->signing.kid, SZ_KID_SIZE) != 0) {
        return SZ_WRONG_DEVICE;
    }
    if (!again) {
        code = sz_seen_check(sign1.kid, hello.time);
    }
    if (code == SZ_OK) {
        code = check_witness(hello.roster, hello.model);
    }
    if (code == SZ_OK) {
        code = write_label_offer(call, sign1.kid, &hello);
    }
    if (code == SZ_OK) {
        sz_seen_note(sign1.kid, hello.time, digest);
    }
    return code;
}
