/* A newly committed model is on trial until it has answered frames for a while. Only while it is may the
 * device go back to the one before by itself: whoever can kill the TA must not be able to choose the older
 * model (protocol.md, "The model push"). Where there is none before, there is no trial.
 *
 * An attempt is one life of the TA in which the model was loaded; it is stored before the model is loaded, so
 * that a model which kills the TA is counted. One that brings SZ_TRIAL_GOOD_START labels is forgiven. */
#ifndef SZ_TRIAL_H
#define SZ_TRIAL_H

#include "trust/state.h"

enum {
    SZ_TRIAL_LABELS = 100,    /* then the model is confirmed */
    SZ_TRIAL_ATTEMPTS = 3,    /* starts that may fail */
    SZ_TRIAL_GOOD_START = 10, /* labels */
};

/* A new life of the TA. */
void sz_trial_begin(void);

/* next, about to be stored, commits another model. */
void sz_trial_enter(struct sz_state *next, const struct sz_model_commitment *model);

/* It was stored: this life of the TA is the new model's first attempt. */
void sz_trial_entered(void);

/* The committed model is about to be loaded. MODEL_TRIAL: it had its attempts, and the one before it is
 * committed again; STORAGE_FAILED. */
enum sz_code sz_trial_start(void);

/* The running model made a label. No storage call: the frame path makes none. */
void sz_trial_label(void);

/* Stores what was achieved, where that changes something. STORAGE_FAILED. */
enum sz_code sz_trial_settle(void);

/* Takes the model before back, by the owner's will or because of the trial. next is about to be stored.
 * MODEL_UNKNOWN: there is none. */
enum sz_code sz_trial_take_back(struct sz_state *next);

/* Labels of the model on trial; false: it is confirmed. */
bool sz_trial_running(uint32_t *labels);

#endif
