#include "trust/answer.h"
#include "trust/boot.h"
#include "trust/epoch.h"
#include "trust/roster.h"
#include "trust/statistics.h"
#include "trust/trial.h"

#include <string.h>

enum { INDEX = 3 }; /* bytes of one of wanted-segments, at most, and of their array's head */

static struct sz_answer answer;

struct sz_answer *sz_answer_begin(const struct sz_call *call, const struct sz_channel *channel,
                                  uint64_t number)
{
    memset(&answer, 0, sizeof answer);
    answer.session = call->session;
    memcpy(answer.channel, channel->terms.id, sizeof answer.channel);
    answer.facts.number = number;
    return &answer;
}

bool sz_answer_busy(uintptr_t session)
{
    return sz_model_inferring() && answer.session != session;
}

void sz_answer_drop(void)
{
    if (sz_model_inferring()) {
        sz_model_wipe_inference();
    }
    sz_wipe(&answer, sizeof answer);
}

static enum sz_code write_wanted(struct sz_call *call)
{
    struct sz_cbor_writer w = sz_cbor_writer(call->reply, call->reply_capacity);
    call->b = sz_model_write_wanted(&w, (uint32_t)call->reply_capacity / INDEX - 1);
    call->reply_length = sz_cbor_written(&w);
    return SZ_SEGMENTS_WANTED;
}

static enum sz_code write_label(struct sz_call *call, struct sz_channel *channel)
{
    const uint64_t began = sz_stage_done(SZ_STAGE_INFER, answer.began);
    const enum sz_code code =
        sz_label_seal(channel, &answer.facts, call->reply, call->reply_capacity, &call->reply_length);
    (void)sz_stage_done(SZ_STAGE_SEAL, began);
    if (code == SZ_OK) {
        sz_channel_keep_label(channel, answer.facts.number, answer.facts.tag,
                              SZ_BYTES(call->reply, call->reply_length));
        sz_count(SZ_COUNT_LABELS);
        sz_trial_label();
    }
    return code;
}

enum sz_code sz_answer_settle(struct sz_call *call, struct sz_channel *channel, enum sz_code step)
{
    if (step == SZ_SEGMENTS_WANTED) {
        return write_wanted(call);
    }
    if (step == SZ_OK) { /* a label that the TEE fails to seal leaves the number: the frame can come again */
        step = write_label(call, channel);
    }
    if (step == SZ_OK || step == SZ_BAD_FRAME || step == SZ_INFERENCE_FAILED) {
        sz_channel_take(channel, answer.facts.number);
        sz_count(SZ_COUNT_FRAMES);
    }
    return step;
}

/* Between two invokes the channel may have closed, its sensor may have lost its right. */
static enum sz_code find_channel(struct sz_call *call, struct sz_channel **channel)
{
    const struct sz_member *member;
    *channel = sz_channel_find(answer.channel);
    if (*channel == NULL || !sz_channel_takes(*channel, answer.facts.number)) {
        return SZ_NO_CHANNEL;
    }
    sz_call_return_kid(call, (*channel)->terms.sensor);
    return sz_roster_authorise((*channel)->terms.sensor, SZ_ROLE_SENSOR, &member);
}

enum sz_code sz_on_continue(struct sz_call *call)
{
    struct sz_channel *channel;
    enum sz_code code;
    if (sz_answer_busy(call->session)) {
        return SZ_BUSY;
    }
    if (!sz_model_inferring()) {
        sz_answer_drop();
        return SZ_NO_INFERENCE;
    }
    code = find_channel(call, &channel);
    if (code == SZ_OK && call->reply_capacity < sz_label_size_most()) {
        code = SZ_BUFFER_TOO_SMALL;
    }
    if (code == SZ_OK) {
        code = sz_answer_settle(call, channel,
                                sz_model_infer_continue(call->a, call->shared, call->shared_length));
    }
    if (code != SZ_SEGMENTS_WANTED) {
        sz_model_wipe_inference();
        sz_answer_drop();
        call->b = (uint32_t)sz_epoch_now()->number;
    }
    return code;
}
