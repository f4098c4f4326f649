/* RULES_HELLO: a rules host gets the present label epoch. */
#include "trust/boot.h"
#include "trust/call.h"
#include "trust/cbor_read.h"
#include "trust/cose_encrypt.h"
#include "trust/epoch.h"
#include "trust/member_message.h"
#include "trust/members_seen.h"
#include "trust/signed.h"
#include "trust/state.h"

#include <string.h>

enum { PLAINTEXT_MAX = 256 };

struct rules_hello {
    const uint8_t *device, *nonce, *prekey;
    struct sz_roster_order roster;
    uint64_t time, model;
};

static enum sz_code read_rules_hello(struct sz_bytes payload, struct rules_hello *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(payload);
    const enum sz_code code = sz_cbor_check(payload);
    size_t pairs;
    if (code != SZ_OK) {
        return code;
    }
    pairs = sz_cbor_map(&r);
    sz_cbor_key(&r, 1);
    out->device = sz_cbor_bstr_of(&r, SZ_KID_SIZE);
    sz_cbor_key(&r, 2);
    out->nonce = sz_cbor_bstr_of(&r, SZ_NONCE16_SIZE);
    sz_cbor_key(&r, 3);
    out->prekey = sz_cbor_bstr_of(&r, SZ_KEY_SIZE);
    sz_cbor_key(&r, 4);
    out->time = sz_cbor_uint(&r);
    sz_cbor_key(&r, 5);
    out->roster.version = sz_cbor_uint(&r);
    sz_cbor_key(&r, 6);
    out->model = sz_cbor_uint(&r);
    if (pairs != 6u + sz_witness_read_generation(&r, 7, &out->roster)) {
        sz_cbor_fail(&r, SZ_MALFORMED);
    }
    return sz_cbor_done(&r);
}

/* The present epoch, sealed to the rules host's prekey and bound to its fresh nonce. */
static enum sz_code write_label_offer(struct sz_call *call, const uint8_t host[SZ_KID_SIZE],
                                      const struct rules_hello *hello)
{
    const struct sz_epoch *const epoch = sz_epoch_now();
    const uint8_t *const device = sz_state()->signing.kid;
    uint8_t plaintext[PLAINTEXT_MAX], sealed[PLAINTEXT_MAX + SZ_ENCRYPT_OVERHEAD], aad[64], context[128];
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
        sz_member_message_open(call->message, "rules-hello", SZ_ROLE_RULES, &sign1, &member, digest, &again);
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
        code = sz_witness_check(hello.roster, hello.model);
    }
    if (code == SZ_OK) {
        code = write_label_offer(call, sign1.kid, &hello);
    }
    if (code == SZ_OK) {
        sz_seen_note(sign1.kid, hello.time, digest);
    }
    return code;
}
