/* FRAME: a record in, a label out, without a storage call, and in one invoke where the model is resident.
 * RECEIPT: which of a channel's numbers were taken. */
#include "trust/answer.h"
#include "trust/boot.h"
#include "trust/call.h"
#include "trust/cbor_read.h"
#include "trust/epoch.h"
#include "trust/roster.h"
#include "trust/signed.h"
#include "trust/state.h"
#include "trust/statistics.h"

#include <string.h>
#include <tee_internal_api.h>

/* The header from a copy of the record's first bytes: shared memory may change at any time. */
static enum sz_code read_header(const struct sz_call *call, struct sz_record_header *header)
{
    uint8_t prefix[SZ_RECORD_PREFIX];
    const size_t length = call->shared_length < sizeof prefix ? call->shared_length : sizeof prefix;
    TEE_MemMove(prefix, (const void *)(uintptr_t)call->shared, length);
    return sz_record_read(SZ_BYTES(prefix, length), call->shared_length, header);
}

/* *length: in, what `out` takes; out NULL: only whether it is authentic. */
static enum sz_code open_into(const struct sz_call *call, const struct sz_channel *channel,
                              const struct sz_record_header *header, uint8_t *out, size_t *length,
                              uint8_t tag[SZ_TAG_SIZE])
{
    uint8_t aad[SZ_RECORD_EXTERNAL_AAD];
    return sz_record_open(
        header, channel->terms.key,
        sz_record_external_aad(SZ_PURPOSE_FRAME, channel->terms.audience, channel->terms.sensor, aad),
        call->shared, out, *length, length, NULL, tag);
}

/* Decrypts into the model's arena, which the caller wipes. */
static enum sz_code open_record(const struct sz_call *call, const struct sz_channel *channel,
                                const struct sz_record_header *header, struct sz_bytes *plaintext,
                                uint8_t tag[SZ_TAG_SIZE])
{
    size_t length = 0;
    uint8_t *const buffer = sz_model_frame_buffer(&length);
    const enum sz_code code = open_into(call, channel, header, buffer, &length, tag);
    *plaintext = SZ_BYTES(buffer, length);
    return code;
}

/* CDDL frame. *data: the tensor's bytes. */
static enum sz_code read_frame(struct sz_bytes plaintext, const struct sz_channel *channel,
                               struct sz_frame_facts *facts, struct sz_bytes *data)
{
    struct sz_cbor_reader r = sz_cbor_reader(plaintext);
    struct sz_input_shape shape = {0};
    uint64_t format;
    const uint8_t *id;
    if (sz_cbor_check(plaintext) != SZ_OK) {
        return SZ_BAD_FRAME;
    }
    sz_cbor_map_of(&r, 5);
    sz_cbor_key(&r, 1);
    id = sz_cbor_bstr_of(&r, sizeof facts->id);
    sz_cbor_key(&r, 2);
    facts->time = sz_cbor_uint(&r);
    sz_cbor_key(&r, 3);
    format = sz_cbor_uint(&r);
    sz_cbor_key(&r, 4);
    shape.rank = (uint32_t)sz_cbor_array(&r);
    for (uint32_t i = 0; i < shape.rank && i < SZ_MODEL_MAX_RANK; i++) {
        const uint64_t dim = sz_cbor_uint(&r);
        shape.dims[i] = dim > SZ_BUFFER_IN ? 0 : (uint32_t)dim;
    }
    sz_cbor_key(&r, 5);
    *data = sz_cbor_bstr(&r);
    shape.format = format > UINT32_MAX ? 0 : (uint32_t)format;
    if (sz_cbor_done(&r) != SZ_OK || !sz_input_shape_equal(&shape, &channel->terms.shape)) {
        return SZ_BAD_FRAME;
    }
    memcpy(facts->id, id, sizeof facts->id);
    return SZ_OK;
}

/* The byte-identical frame again gets the identical label, also when a model with smaller frames is active by
 * now; anything else under a number that was taken, or is too old to say whether it was, is a replay. */
static enum sz_code repeat(struct sz_call *call, const struct sz_channel *channel,
                           const struct sz_record_header *header)
{
    const struct sz_sent_label *const sent = sz_channel_label(channel, header->number);
    uint8_t tag[SZ_TAG_SIZE];
    size_t length = SIZE_MAX;
    if (sent == NULL) {
        return SZ_STALE_NUMBER;
    }
    if (open_into(call, channel, header, NULL, &length, tag) != SZ_OK ||
        !sz_equal(tag, sent->frame_tag, sizeof tag)) {
        return SZ_STALE_NUMBER;
    }
    if (sent->length > call->reply_capacity) {
        return SZ_BUFFER_TOO_SMALL;
    }
    memcpy(call->reply, sent->record, sent->length);
    call->reply_length = sent->length;
    sz_count(SZ_COUNT_REPEATS);
    return SZ_OK;
}

static enum sz_code answer(struct sz_call *call, struct sz_channel *channel,
                           const struct sz_record_header *header)
{
    struct sz_answer *const answer = sz_answer_begin(call, channel, header->number);
    struct sz_bytes plaintext, data;
    const uint64_t began = sz_uptime_ms();
    enum sz_code code = open_record(call, channel, header, &plaintext, answer->facts.tag);
    answer->began = sz_stage_done(SZ_STAGE_OPEN, began);
    if (code != SZ_OK) {
        return code;
    }
    code = read_frame(plaintext, channel, &answer->facts, &data);
    if (code == SZ_OK) {
        code = sz_model_infer(data);
    }
    return sz_answer_settle(call, channel, code);
}

/* For an authorised sender's frame, with a model. */
static enum sz_code handle(struct sz_call *call, struct sz_channel *channel,
                           const struct sz_record_header *header)
{
    if (!sz_channel_takes(channel, header->number)) {
        return repeat(call, channel, header);
    }
    if (!sz_input_shape_equal(&channel->terms.shape, sz_model_input())) {
        return SZ_BAD_FRAME;
    }
    if (call->reply_capacity < sz_label_size_most()) {
        return SZ_BUFFER_TOO_SMALL; /* before the number is used up for a label that cannot leave */
    }
    return answer(call, channel, header);
}

enum sz_code sz_on_frame(struct sz_call *call)
{
    struct sz_record_header header;
    const struct sz_member *member;
    struct sz_channel *channel;
    enum sz_code code;
    if (sz_answer_busy(call->session)) {
        return SZ_BUSY;
    }
    sz_answer_drop(); /* a frame of the same session takes the place of the one that waits */
    code = read_header(call, &header);
    if (code != SZ_OK) {
        return code;
    }
    channel = sz_channel_find(header.channel);
    if (channel == NULL) {
        return SZ_NO_CHANNEL;
    }
    sz_call_return_kid(call, channel->terms.sensor);
    code = sz_roster_authorise(channel->terms.sensor, SZ_ROLE_SENSOR, &member);
    if (code != SZ_OK) {
        return code;
    }
    if (!sz_model_active()) {
        return SZ_NO_MODEL;
    }
    code = handle(call, channel, &header);
    if (code != SZ_SEGMENTS_WANTED) {
        sz_model_wipe_inference();
        sz_answer_drop();
        call->b = (uint32_t)sz_epoch_now()->number;
    }
    return code;
}

enum sz_code sz_on_receipt(struct sz_call *call)
{
    uint8_t payload[96];
    uint8_t window[SZ_WINDOW_BYTES];
    struct sz_cbor_writer w = sz_cbor_writer(payload, sizeof payload);
    const struct sz_channel *channel;
    if (call->message.length != SZ_CHANNEL_ID_SIZE) {
        return SZ_BAD_REQUEST;
    }
    channel = sz_channel_find(call->message.at);
    if (channel == NULL) {
        return SZ_NO_CHANNEL;
    }
    sz_call_return_kid(call, channel->terms.sensor);
    sz_window_write(&channel->numbers, window);
    sz_cbor_put_map(&w, 5);
    sz_cbor_put_uint(&w, 1);
    sz_cbor_put_bstr(&w, sz_state()->signing.kid, SZ_KID_SIZE);
    sz_cbor_put_uint(&w, 2);
    sz_cbor_put_bstr(&w, channel->terms.id, SZ_CHANNEL_ID_SIZE);
    sz_cbor_put_uint(&w, 3);
    sz_cbor_put_uint(&w, channel->numbers.last);
    sz_cbor_put_uint(&w, 4);
    sz_cbor_put_bstr(&w, sz_boot()->nonce, SZ_NONCE16_SIZE);
    sz_cbor_put_uint(&w, 5);
    sz_cbor_put_bstr(&w, window, sizeof window);
    return sz_signed_write(SZ_BYTES(payload, sz_cbor_written(&w)), "receipt", call->reply,
                           call->reply_capacity, &call->reply_length);
}
