/* Boxes relative to anchors -> boxes in the picture, then suppression of those that overlap a better one. */
#include "check.h"
#include "head.h"

static float clipped(float value, float clip)
{
    float above = value < -clip ? -clip : value;
    return clip == 0.0f ? value : above > clip ? clip : above;
}

/* False where the values make no finite box. */
static bool decode(const struct sz_detection_input *in, size_t anchor, float box[4])
{
    const struct sz_head_record *head = in->head;
    bool cells = (head->flags & SZ_HEAD_CELLS) != 0;
    const float *a = in->anchors + anchor * (cells ? 6 : 4);
    for (size_t i = 0; i < 2; i++) {
        size_t at = anchor * in->boxes->dims[2] + ((head->flags & SZ_HEAD_YX) != 0 ? 1 - i : i);
        float middle = sz_value_at(in->boxes, in->box_data, at) / head->floats[i];
        float size = sz_value_at(in->boxes, in->box_data, at + 2) / head->floats[2 + i];
        middle = a[i] + (cells ? (sz_sigmoidf(middle) - 0.5f) * a[4 + i] : middle * a[2 + i]);
        size = a[2 + i] * ((head->flags & SZ_HEAD_EXP_SIZE) != 0 ? sz_expf(size) : size);
        box[i] = middle - size / 2.0f;
        box[2 + i] = middle + size / 2.0f;
        if (!sz_is_finite(box[i]) || !sz_is_finite(box[2 + i]))
            return false;
    }
    return true;
}

/* Keeps the list sorted; of equal scores the earlier anchor stays first. When it is full the worst is lost.
 */
static void insert(struct sz_candidate_list *list, const struct sz_candidate *candidate)
{
    uint32_t at = list->count;
    if (at == SZ_MAX_CANDIDATES && !(candidate->score > list->best[at - 1].score))
        return;
    at = at == SZ_MAX_CANDIDATES ? at - 1 : list->count++;
    for (; at > 0 && candidate->score > list->best[at - 1].score; at--)
        list->best[at] = list->best[at - 1];
    list->best[at] = *candidate;
}

static void collect(const struct sz_detection_input *in, struct sz_candidate_list *list)
{
    const struct sz_head_record *head = in->head;
    size_t anchors = in->scores->dims[1];
    size_t columns = in->scores->dims[2];
    bool cells = (head->flags & SZ_HEAD_CELLS) != 0;
    size_t first = cells ? head->first_class : 0;
    list->count = 0;
    for (size_t a = 0; a < anchors; a++) {
        struct sz_softmax s = {0.0f, 1.0f};
        float object = cells ? sz_sigmoidf(sz_value_at(in->scores, in->score_data, a * columns + 4)) : 1.0f;
        /* No class score is above 1: most cells are done here. */
        if (cells && !(object >= head->floats[5]))
            continue;
        if ((head->flags & SZ_HEAD_SOFTMAX) != 0)
            s = sz_softmax_of(in->scores, in->score_data, a * columns + first, columns - first);
        for (size_t k = head->first_class; k < columns; k++) {
            struct sz_candidate candidate = {.class_index = (uint16_t)(k - head->first_class)};
            float score = clipped(sz_value_at(in->scores, in->score_data, a * columns + k), head->floats[4]);
            if ((head->flags & SZ_HEAD_SOFTMAX) != 0)
                score = sz_softmax_share(&s, score);
            if ((head->flags & SZ_HEAD_SIGMOID) != 0)
                score = sz_sigmoidf(score);
            candidate.score = score * object;
            if (sz_is_finite(candidate.score) && candidate.score >= head->floats[5] &&
                decode(in, a, candidate.box))
                insert(list, &candidate);
        }
    }
}

static float area(const float box[4])
{
    float w = box[2] - box[0];
    float h = box[3] - box[1];
    return w > 0.0f && h > 0.0f ? w * h : 0.0f;
}

/* Intersection over union. */
static float overlap(const float a[4], const float b[4])
{
    float common[4] = {a[0] > b[0] ? a[0] : b[0], a[1] > b[1] ? a[1] : b[1], a[2] < b[2] ? a[2] : b[2],
                       a[3] < b[3] ? a[3] : b[3]};
    float intersection = area(common);
    float whole = area(a) + area(b) - intersection;
    return whole > 0.0f ? intersection / whole : 0.0f;
}

/*
 * Takes candidate `first` and all not yet taken that overlap it. The result has the best one's score and box,
 * or with SZ_HEAD_WEIGHTED the mean of all their boxes weighted by score.
 */
static void take(const struct sz_detection_input *in, struct sz_candidate_list *list, uint32_t first,
                 struct sz_result *result)
{
    const struct sz_candidate *best = &list->best[first];
    bool weighted = (in->head->flags & SZ_HEAD_WEIGHTED) != 0;
    bool per_class = (in->head->flags & SZ_HEAD_PER_CLASS) != 0;
    float total = 0.0f;
    float sum[4] = {0};
    result->class_index = best->class_index;
    result->score = best->score;
    memcpy(result->box, best->box, sizeof(result->box));
    for (uint32_t i = first; i < list->count; i++) {
        struct sz_candidate *c = &list->best[i];
        if (c->suppressed || (per_class && c->class_index != best->class_index) ||
            (i != first && !(overlap(best->box, c->box) > in->head->floats[6])))
            continue;
        c->suppressed = 1;
        total += c->score;
        for (uint32_t k = 0; k < 4; k++)
            sum[k] += c->box[k] * c->score;
    }
    if (!weighted || !(total > 0.0f))
        return;
    for (uint32_t k = 0; k < 4; k++)
        if (sz_is_finite(sum[k] / total))
            result->box[k] = sum[k] / total;
}

size_t sz_detect(const struct sz_detection_input *input, struct sz_candidate_list *list,
                 struct sz_result *results)
{
    size_t count = 0;
    collect(input, list);
    for (uint32_t i = 0; i < list->count && count < input->head->max_results; i++)
        if (!list->best[i].suppressed)
            take(input, list, i, &results[count++]);
    return count;
}
