/* PING, HELLO, EVIDENCE, TELEMETRY: what the device says of itself. */
#include "sz_product.h"
#include "trust/boot.h"
#include "trust/call.h"
#include "trust/cbor_read.h"
#include "trust/epoch.h"
#include "trust/padding.h"
#include "trust/roster.h"
#include "trust/security_level.h"
#include "trust/signed.h"
#include "trust/state.h"
#include "trust/statistics.h"

#include <string.h>
#include <tee_internal_api.h>

enum {
    PAYLOAD_MAX = 4096,
    TELEMETRY_SIZE = 4096,     /* plaintext of every telemetry record */
    AGENT_COUNTERS_MAX = 2048, /* bytes of what the agent says of itself */
    EVIDENCE_NONCE_MIN = 8,
    EVIDENCE_NONCE_MAX = 64,
};

static uint8_t payload[PAYLOAD_MAX];

static enum sz_code sign_reply(struct sz_call *call, const struct sz_cbor_writer *w, const char *purpose)
{
    const size_t length = sz_cbor_written(w);
    return length == 0 ? SZ_BUFFER_TOO_SMALL
                       : sz_signed_write(SZ_BYTES(payload, length), purpose, call->reply,
                                         call->reply_capacity, &call->reply_length);
}

enum sz_code sz_on_ping(struct sz_call *call)
{
    call->b = (uint32_t)sz_epoch_now()->number;
    call->c = (sz_state()->owners.count > 0 ? 1u : 0u) | (sz_model_active() ? 2u : 0u) |
              (sz_model_loading() ? 4u : 0u);
    memcpy(&call->d, sz_boot()->nonce, sizeof call->d);
    return SZ_OK;
}

static void put_bytes(struct sz_cbor_writer *w, int64_t key, const void *bytes, size_t length)
{
    sz_cbor_put_int(w, key);
    sz_cbor_put_bstr(w, bytes, length);
}

static void put_number(struct sz_cbor_writer *w, int64_t key, uint64_t value)
{
    sz_cbor_put_int(w, key);
    sz_cbor_put_uint(w, value);
}

static void put_input_shape(struct sz_cbor_writer *w, const struct sz_input_shape *shape)
{
    sz_cbor_put_array(w, 2);
    sz_cbor_put_uint(w, shape->format);
    sz_cbor_put_array(w, shape->rank);
    for (uint32_t i = 0; i < shape->rank; i++) {
        sz_cbor_put_uint(w, shape->dims[i]);
    }
}

enum sz_code sz_on_hello(struct sz_call *call)
{
    const struct sz_state *const state = sz_state();
    const bool unclaimed = state->owners.count == 0;
    struct sz_cbor_writer w = sz_cbor_writer(payload, sizeof payload);
    const bool went_back = state->model_floor != state->model.sequence;
    sz_cbor_put_map(&w, 11u + sz_model_active() + went_back); /* 11 or 14, always one of both */
    put_number(&w, 1, 1);
    put_bytes(&w, 2, state->signing.public_key, SZ_KEY_SIZE);
    put_bytes(&w, 3, state->agreement.public_key, SZ_KEY_SIZE);
    put_bytes(&w, 4, sz_boot()->nonce, SZ_NONCE16_SIZE);
    put_bytes(&w, 5, sz_boot()->prekey.public_key, SZ_KEY_SIZE);
    put_number(&w, 6, sz_roster_version());
    put_number(&w, 7, state->model.sequence);
    sz_cbor_put_int(&w, 8);
    sz_cbor_put_text(&w, SZ_TA_VERSION);
    put_number(&w, 9, sz_security_level());
    sz_cbor_put_int(&w, 10);
    sz_cbor_put_text(&w, sz_model_target());
    if (unclaimed) {
        put_bytes(&w, 11, sz_boot()->claim_nonce, SZ_NONCE16_SIZE);
    }
    if (sz_model_active()) {
        sz_cbor_put_int(&w, 12);
        put_input_shape(&w, sz_model_input());
    }
    if (went_back) {
        put_number(&w, 13, state->model_floor);
    }
    if (!unclaimed) {
        put_number(&w, 14, state->owners.generation);
    }
    return sign_reply(call, &w, "hello");
}

enum sz_code sz_on_evidence(struct sz_call *call)
{
    static const TEE_UUID uuid = SZ_TA_UUID;
    const uint8_t uuid_bytes[16] = {
        (uint8_t)(uuid.timeLow >> 24),
        (uint8_t)(uuid.timeLow >> 16),
        (uint8_t)(uuid.timeLow >> 8),
        (uint8_t)uuid.timeLow,
        (uint8_t)(uuid.timeMid >> 8),
        (uint8_t)uuid.timeMid,
        (uint8_t)(uuid.timeHiAndVersion >> 8),
        (uint8_t)uuid.timeHiAndVersion,
        uuid.clockSeqAndNode[0],
        uuid.clockSeqAndNode[1],
        uuid.clockSeqAndNode[2],
        uuid.clockSeqAndNode[3],
        uuid.clockSeqAndNode[4],
        uuid.clockSeqAndNode[5],
        uuid.clockSeqAndNode[6],
        uuid.clockSeqAndNode[7],
    };
    uint8_t ueid[1 + SZ_SHA256_SIZE] = {1}; /* RAND (RFC 9711, section 4.2.1) */
    struct sz_cbor_writer w = sz_cbor_writer(payload, sizeof payload);
    enum sz_code code;
    if (call->message.length < EVIDENCE_NONCE_MIN || call->message.length > EVIDENCE_NONCE_MAX) {
        return SZ_BAD_REQUEST;
    }
    code = sz_sha256(SZ_BYTES(sz_state()->signing.public_key, SZ_KEY_SIZE), ueid + 1);
    if (code != SZ_OK) {
        return code;
    }
    sz_cbor_put_map(&w, 12u + (sz_state()->owners.count > 0));
    put_bytes(&w, 10, call->message.at, call->message.length);
    put_bytes(&w, 256, ueid, sizeof ueid);
    put_number(&w, 263, 0); /* debug enabled: a TA cannot tell, so it does not promise */
    sz_cbor_put_int(&w, 265);
    sz_cbor_put_text(&w, "tag:smart-zone.example,2026:eat/1");
    put_bytes(&w, 268, sz_boot()->nonce, SZ_NONCE16_SIZE);
    sz_cbor_put_int(&w, 270);
    sz_cbor_put_text(&w, "smart-zone-ta");
    sz_cbor_put_int(&w, 271);
    sz_cbor_put_array(&w, 1);
    sz_cbor_put_text(&w, SZ_TA_VERSION);
    put_bytes(&w, -70001, uuid_bytes, sizeof uuid_bytes);
    put_number(&w, -70002, sz_roster_version());
    put_number(&w, -70003, sz_state()->model.sequence);
    put_number(&w, -70004, sz_security_level());
    sz_cbor_put_int(&w, -70005);
    sz_security_items_write(&w);
    if (sz_state()->owners.count > 0) {
        put_number(&w, -70006, sz_state()->owners.generation);
    }
    return sign_reply(call, &w, "evidence");
}

/* The agent's own counters: a small map of text to numbers, carried but not vouched for. */
static bool agent_counters_valid(struct sz_bytes bytes)
{
    struct sz_cbor_reader r = sz_cbor_reader(bytes);
    size_t pairs;
    if (bytes.length > AGENT_COUNTERS_MAX || sz_cbor_check(bytes) != SZ_OK) {
        return false;
    }
    pairs = sz_cbor_map(&r);
    for (size_t i = 0; i < pairs && sz_cbor_error(&r) == SZ_OK; i++) {
        (void)sz_cbor_tstr(&r);
        (void)sz_cbor_uint(&r);
    }
    return sz_cbor_done(&r) == SZ_OK;
}

static uint64_t property(const char *name)
{
    uint32_t value = 0;
    return TEE_GetPropertyAsU32(TEE_PROPSET_TEE_IMPLEMENTATION, name, &value) == TEE_SUCCESS ? value : 0;
}

static void put_memory(struct sz_cbor_writer *w)
{
    size_t model = 0, arena = 0;
    uint32_t heap = 0;
    sz_model_memory(&model, &arena);
    if (TEE_GetPropertyAsU32(TEE_PROPSET_CURRENT_TA, "gpd.ta.dataSize", &heap) != TEE_SUCCESS) {
        heap = 0;
    }
    sz_cbor_put_map(w, 6);
    sz_cbor_put_text(w, "arena");
    sz_cbor_put_uint(w, arena);
    sz_cbor_put_text(w, "image");
    sz_cbor_put_uint(w, property("smartzone.image.size"));
    sz_cbor_put_text(w, "model");
    sz_cbor_put_uint(w, model);
    sz_cbor_put_text(w, "heap_peak");
    sz_cbor_put_uint(w, property("smartzone.heap.peak"));
    sz_cbor_put_text(w, "heap_size");
    sz_cbor_put_uint(w, heap);
    sz_cbor_put_text(w, "stack_peak");
    sz_cbor_put_uint(w, property("smartzone.stack.peak"));
}

static void put_counters(struct sz_cbor_writer *w)
{
    static const char *const counters[SZ_COUNTERS] = {"frames", "labels", "offers", "refused", "repeats"};
    static const char *const stages[SZ_STAGES] = {"open", "seal", "infer"};
    sz_cbor_put_int(w, 4);
    sz_cbor_put_map(w, SZ_COUNTERS);
    for (uint32_t i = 0; i < SZ_COUNTERS; i++) {
        sz_cbor_put_text(w, counters[i]);
        sz_cbor_put_uint(w, sz_statistics.counters[i]);
    }
    sz_cbor_put_int(w, 5);
    sz_cbor_put_map(w, SZ_STAGES);
    for (uint32_t i = 0; i < SZ_STAGES; i++) {
        sz_cbor_put_text(w, stages[i]);
        sz_cbor_put_array(w, 2);
        sz_cbor_put_uint(w, sz_statistics.stage_ms[i]);
        sz_cbor_put_uint(w, sz_statistics.stage_count[i]);
    }
}

enum sz_code sz_on_telemetry(struct sz_call *call)
{
    static uint8_t plaintext[TELEMETRY_SIZE];
    struct sz_cbor_writer w = sz_cbor_writer(payload, sizeof payload);
    size_t length = 0;
    enum sz_code code;
    if (!agent_counters_valid(call->message)) {
        return SZ_BAD_REQUEST;
    }
    sz_cbor_put_map(&w, 7);
    put_bytes(&w, 1, sz_state()->signing.kid, SZ_KID_SIZE);
    put_bytes(&w, 2, sz_boot()->nonce, SZ_NONCE16_SIZE);
    put_number(&w, 3, sz_uptime_ms());
    put_counters(&w);
    sz_cbor_put_int(&w, 6);
    put_memory(&w);
    sz_cbor_put_int(&w, 7);
    sz_cbor_put_raw(&w, call->message.at, call->message.length);
    if (sz_cbor_written(&w) == 0) {
        return SZ_TOO_LONG;
    }
    code = sz_signed_write(SZ_BYTES(payload, sz_cbor_written(&w)), "telemetry", plaintext, sizeof plaintext,
                           &length);
    if (code == SZ_OK) {
        code = !sz_pad(plaintext, length, sizeof plaintext)
                   ? SZ_TOO_LONG
                   : sz_epoch_seal(SZ_PURPOSE_TELEMETRY, sz_state()->signing.kid,
                                   SZ_BYTES(plaintext, sizeof plaintext), call->reply, call->reply_capacity,
                                   &call->reply_length);
    }
    call->b = (uint32_t)sz_epoch_now()->number;
    return code;
}
