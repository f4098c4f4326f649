/* The frame that is being answered. At most one at a time: with a model that streams its weights it stays,
 * over several invokes, its session's alone, until its label goes out, an error ends it, or its session ends
 * or sends another frame. */
#ifndef SZ_ANSWER_H
#define SZ_ANSWER_H

#include "trust/call.h"
#include "trust/label.h"

struct sz_answer {
    uintptr_t session;
    uint8_t channel[SZ_CHANNEL_ID_SIZE];
    struct sz_frame_facts facts;
    uint64_t began; /* sz_uptime_ms() */
};

/* The one place, for a new frame. */
struct sz_answer *sz_answer_begin(const struct sz_call *call, const struct sz_channel *channel,
                                  uint64_t number);

/* What an inference's step means for the frame. SZ_OK: its label is in the reply, its number is used up.
 * BAD_FRAME, INFERENCE_FAILED: its number is used up. SEGMENTS_WANTED: those are in the reply; the number
 * stays free until there is a label. Other errors: it stays free. */
enum sz_code sz_answer_settle(struct sz_call *call, struct sz_channel *channel, enum sz_code step);

/* Another session's frame waits for segments. */
bool sz_answer_busy(uintptr_t session);

/* Forgets the frame and wipes the inference. */
void sz_answer_drop(void);

#endif
