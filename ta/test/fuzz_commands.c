/* Every command that a device takes in a state, with what it says to it. */
#include "fuzz.h"

#include <string.h>

static uint8_t message[2 * FUZZ_MESSAGE];

struct visit {
    enum fuzz_state state;
    fuzz_visitor *visitor;
};

static void visit_with(const struct visit *v, uint32_t command, uint32_t a, const uint8_t *bytes,
                       size_t length, enum sz_code expected)
{
    const struct fuzz_request request = {command, a, bytes, length, expected};
    v->visitor(v->state, &request);
}

static void visit(const struct visit *v, uint32_t command, size_t length)
{
    visit_with(v, command, 0, message, length, SZ_OK);
}

/* What depends on the model that the device has. */
static void visit_model(const struct visit *v)
{
    const struct fuzz_model *const m = &fuzz_sample;
    switch (v->state) {
    case FUZZ_LOADING:
        visit_with(v, SZ_CMD_MODEL_SEGMENT, 1, m->segments[1], m->lengths[1], SZ_OK);
        break;
    case FUZZ_LOADED:
        visit_with(v, SZ_CMD_MODEL_SEGMENT, FUZZ_SEGMENTS - 1, m->segments[FUZZ_SEGMENTS - 1],
                   m->lengths[FUZZ_SEGMENTS - 1], SZ_OK);
        break;
    case FUZZ_ACTIVE:
        visit(v, SZ_CMD_FRAME, fuzz_frame(message, 2));
        break;
    case FUZZ_STREAMING:
        visit_with(v, SZ_CMD_FRAME, 0, message, fuzz_frame(message, 2), SZ_SEGMENTS_WANTED);
        visit_with(v, SZ_CMD_CONTINUE, 1, m->segments[1], m->lengths[1],
                   FUZZ_SEGMENTS > 3 ? SZ_SEGMENTS_WANTED : SZ_OK);
        break;
    case FUZZ_TRIAL:
        visit(v, SZ_CMD_OWNER, fuzz_rollback(message));
        break;
    case FUZZ_RESTARTED:
        visit(v, SZ_CMD_MODEL_BEGIN, fuzz_model_begin_committed(message, m, 1));
        break;
    default:
        break;
    }
}

/* Where nothing but the trial is other than in FUZZ_TRIAL and FUZZ_RESTARTED. */
static void visit_trial(const struct visit *v)
{
    if (v->state == FUZZ_COUNTED) {
        visit(v, SZ_CMD_MODEL_STATUS, 0);
    } else {
        visit_with(v, SZ_CMD_MODEL_BEGIN, 0, message, fuzz_model_begin_committed(message, &fuzz_sample, 2),
                   v->state == FUZZ_SECOND_START ? SZ_OK : SZ_MODEL_TRIAL);
    }
}

void fuzz_each_command(enum fuzz_state state, fuzz_visitor *visitor)
{
    static const uint8_t counters[] = "\xa1\x64"
                                      "lost\x00";
    const struct visit v = {state, visitor};
    if (state >= FUZZ_COUNTED) {
        visit_trial(&v);
        return;
    }
    visit_with(&v, SZ_CMD_EVIDENCE, 0, (const uint8_t *)"a nonce...", 10, SZ_OK);
    visit(&v, SZ_CMD_HELLO, 0);
    visit(&v, SZ_CMD_MODEL_STATUS, 0);
    if (state == FUZZ_UNCLAIMED) {
        visit(&v, SZ_CMD_OWNER, fuzz_claim(message));
        return;
    }
    visit(&v, SZ_CMD_OWNER, fuzz_reset(message));
    visit(&v, SZ_CMD_OWNER, fuzz_rebase(message));
    visit(&v, SZ_CMD_OWNER, fuzz_rotate(message));
    visit(&v, SZ_CMD_ROSTER, fuzz_roster(message, 3));
    visit(&v, SZ_CMD_ROSTER, fuzz_succession(message, 3));
    visit(&v, SZ_CMD_OFFER, fuzz_offer(message, 2));
    visit(&v, SZ_CMD_ZONE_OFFER, fuzz_zone_offer(message, 2));
    visit(&v, SZ_CMD_RULES_HELLO, fuzz_rules_hello(message, 2));
    visit(&v, SZ_CMD_MODEL_BEGIN, fuzz_model_begin(message, &fuzz_sample, 3));
    visit_with(&v, SZ_CMD_TELEMETRY, 0, counters, sizeof counters - 1, SZ_OK);
    if (fuzz_has_channel(state)) {
        visit_with(&v, SZ_CMD_RECEIPT, 0, (const uint8_t *)"channel\x01", 8, SZ_OK);
        visit_with(&v, SZ_CMD_FRAME, 0, message, fuzz_frame(message, 1),
                   fuzz_has_model(state) ? SZ_OK : SZ_NO_MODEL);
    }
    visit_model(&v);
}

bool fuzz_has_channel(enum fuzz_state state)
{
    return state >= FUZZ_CHANNEL && state != FUZZ_RESTARTED && state != FUZZ_ROTATED &&
           state < FUZZ_SECOND_START;
}

bool fuzz_has_model(enum fuzz_state state)
{
    return state == FUZZ_ACTIVE || state == FUZZ_STREAMING || state == FUZZ_TRIAL || state == FUZZ_ROTATING ||
           state == FUZZ_COUNTED;
}
