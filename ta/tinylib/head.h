/* Shared by the heads: outputs as real values, softmax over them, and what detections need. */
#ifndef SZ_TINYLIB_HEAD_H
#define SZ_TINYLIB_HEAD_H

#include "../tinylibm/tinylibm.h"
#include "candidates.h"
#include "engine.h"

/* Element i as a real value. */
float sz_value_at(const struct sz_tensor_record *t, const void *data, size_t i);

struct sz_softmax {
    float greatest;
    float sum;
};

/* Over elements from .. from + n - 1, n >= 1. */
struct sz_softmax sz_softmax_of(const struct sz_tensor_record *t, const void *data, size_t from, size_t n);

static inline float sz_softmax_share(const struct sz_softmax *s, float value)
{
    return sz_expf(value - s->greatest) / s->sum;
}

struct sz_detection_input {
    const struct sz_head_record *head;
    const struct sz_tensor_record *boxes;
    const void *box_data;
    const struct sz_tensor_record *scores;
    const void *score_data;
    const float *anchors;
};

/* Decodes, thresholds, suppresses. Writes at most head->max_results results, best first; returns how many. */
size_t sz_detect(const struct sz_detection_input *input, struct sz_candidate_list *list,
                 struct sz_result *results);

#endif
