#include "trust/trial.h"

#include <string.h>

static uint32_t labels_here; /* since this TA started, or since the model was committed */
static uint32_t settled;     /* of them, how many are in the state */
static uint64_t counted;     /* sequence number of the model whose attempt this life of the TA is */

void sz_trial_begin(void)
{
    labels_here = 0;
    settled = 0;
    counted = 0;
}

void sz_trial_enter(struct sz_state *next, const struct sz_model_commitment *model)
{
    if (next->model.sequence != 0 && next->trial_attempts == 0) {
        next->previous = next->model; /* a model that is itself on trial is nothing to go back to */
    }
    next->model = *model;
    next->model_floor = model->sequence > next->model_floor ? model->sequence : next->model_floor;
    next->trial_attempts = next->previous.sequence != 0 ? 1 : 0;
    next->trial_labels = 0;
}

void sz_trial_entered(void)
{
    counted = sz_state()->model.sequence;
    labels_here = 0;
    settled = 0;
}

enum sz_code sz_trial_take_back(struct sz_state *next)
{
    if (next->previous.sequence == 0) {
        return SZ_MODEL_UNKNOWN;
    }
    next->model = next->previous;
    sz_wipe(&next->previous, sizeof next->previous);
    next->trial_attempts = 0;
    next->trial_labels = 0;
    return SZ_OK;
}

static enum sz_code store(struct sz_state *next)
{
    const enum sz_code code = sz_state_commit(next);
    sz_wipe(next, sizeof *next);
    return code;
}

enum sz_code sz_trial_start(void)
{
    struct sz_state next = *sz_state();
    enum sz_code code;
    if (next.trial_attempts == 0 || counted == next.model.sequence) {
        sz_wipe(&next, sizeof next);
        return SZ_OK;
    }
    if (next.trial_attempts < SZ_TRIAL_ATTEMPTS) {
        const uint64_t sequence = next.model.sequence;
        next.trial_attempts++;
        code = store(&next);
        if (code == SZ_OK) {
            counted = sequence;
            labels_here = 0;
            settled = 0;
        }
        return code;
    }
    code = sz_trial_take_back(&next);
    if (code == SZ_OK) {
        code = store(&next);
    }
    sz_wipe(&next, sizeof next);
    return code == SZ_OK ? SZ_MODEL_TRIAL : code;
}

void sz_trial_label(void)
{
    labels_here += labels_here < SZ_TRIAL_LABELS;
}

enum sz_code sz_trial_settle(void)
{
    struct sz_state next = *sz_state();
    const uint32_t labels = next.trial_labels + (labels_here - settled);
    enum sz_code code = SZ_OK;
    if (next.trial_attempts > 0 && labels >= SZ_TRIAL_LABELS) {
        next.trial_attempts = 0;
        next.trial_labels = 0;
        code = sz_state_commit(&next);
    } else if (next.trial_attempts > 0 && settled == 0 && labels_here >= SZ_TRIAL_GOOD_START) {
        next.trial_attempts = 1;
        next.trial_labels = labels;
        code = sz_state_commit(&next);
        if (code == SZ_OK) {
            settled = labels_here;
        }
    }
    sz_wipe(&next, sizeof next);
    return code;
}

bool sz_trial_running(uint32_t *labels)
{
    *labels = sz_state()->trial_labels + (labels_here - settled);
    return sz_state()->trial_attempts > 0;
}
