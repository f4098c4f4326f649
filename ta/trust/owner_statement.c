#include "trust/owner_statement.h"
#include "trust/cbor_write.h"
#include "trust/signed.h"
#include "trust/state.h"

#include <string.h>

static void read_action(struct sz_cbor_reader *r, struct sz_owner_statement *out)
{
    const size_t items = sz_cbor_array(r);
    const uint64_t command = sz_cbor_uint(r);
    size_t due = 1;
    switch (command) {
    case SZ_OWNER_CLAIM:
        due = 3;
        sz_owners_read_keys(r, &out->owners);
        out->owners.generation = sz_cbor_uint(r);
        if (out->owners.generation == 0) {
            sz_cbor_fail(r, SZ_MALFORMED);
        }
        break;
    case SZ_OWNER_REBASE:
        due = 2;
        out->floor = sz_cbor_uint(r);
        break;
    case SZ_OWNER_RESET:
    case SZ_OWNER_ROLLBACK:
    case SZ_OWNER_ROTATE:
        break;
    default:
        sz_cbor_fail(r, SZ_MALFORMED);
        return;
    }
    if (items != due) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
    out->command = (enum sz_owner_command)command;
}

static enum sz_code read_payload(struct sz_bytes payload, struct sz_owner_statement *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(payload);
    const enum sz_code code = sz_cbor_check(payload);
    const uint8_t *device, *nonce;
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
    read_action(&r, out);
    if (sz_cbor_done(&r) == SZ_OK) {
        memcpy(out->device, device, SZ_KID_SIZE);
        memcpy(out->nonce, nonce, SZ_NONCE16_SIZE);
    }
    return sz_cbor_error(&r);
}

enum sz_code sz_owner_statement_read(struct sz_bytes message, struct sz_sign1 *sign1,
                                     struct sz_owner_statement *out)
{
    enum sz_code code;
    memset(out, 0, sizeof *out);
    code = sz_sign1_read(message, sign1);
    if (code == SZ_OK) {
        code = read_payload(sign1->payload, out);
    }
    return code == SZ_OK ? sz_sha256(message, out->digest) : code;
}

static void put_bytes(struct sz_cbor_writer *w, uint64_t key, const void *bytes, size_t length)
{
    sz_cbor_put_uint(w, key);
    sz_cbor_put_bstr(w, bytes, length);
}

enum sz_code sz_owner_reply_write(struct sz_call *call, const struct sz_owner_statement *s,
                                  enum sz_code status)
{
    const struct sz_state *const state = sz_state();
    uint8_t payload[SZ_OWNER_REPLY_MAX - SZ_SIGN1_OVERHEAD];
    struct sz_cbor_writer w = sz_cbor_writer(payload, sizeof payload);
    sz_cbor_put_map(&w, state->has_next ? 8 : 7);
    put_bytes(&w, 1, s->device, SZ_KID_SIZE);
    sz_cbor_put_uint(&w, 2);
    sz_cbor_put_uint(&w, s->counter);
    put_bytes(&w, 3, s->nonce, SZ_NONCE16_SIZE);
    sz_cbor_put_uint(&w, 4);
    sz_cbor_put_uint(&w, (uint64_t)status);
    put_bytes(&w, 5, state->signing.public_key, SZ_KEY_SIZE);
    put_bytes(&w, 6, state->agreement.public_key, SZ_KEY_SIZE);
    put_bytes(&w, 7, s->digest, sizeof s->digest);
    if (state->has_next) {
        sz_cbor_put_uint(&w, 8);
        sz_cbor_put_array(&w, 2);
        sz_cbor_put_bstr(&w, state->next_signing.public_key, SZ_KEY_SIZE);
        sz_cbor_put_bstr(&w, state->next_agreement.public_key, SZ_KEY_SIZE);
    }
    return sz_signed_write(SZ_BYTES(payload, sz_cbor_written(&w)), "owner-reply", call->reply,
                           call->reply_capacity, &call->reply_length);
}
