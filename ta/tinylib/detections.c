/* Boxes relative to anchors -> boxes in the picture, then suppression of those that overlap a better one. */
#include "check.h"
#include "head.h"

static float clipped(float value, float clip)
{
    if (clip == 0.0f)
        return value;
    value = value < -clip ? -clip : value;
    return value > clip ? clip : value;
}

/* False where the values make no finite box. */
static bool decode(const struct sz_detection_input *in, size_t anchor, float box[4])
{
    const struct sz_head_record *head = in->head;
    size_t first = anchor * in->boxes->dims[2];
    const float *a = in->anchors + anchor * 4;
    float v[4];
    for (size_t i = 0; i < 4; i++)
        v[i] = sz_value_at(in->boxes, in->box_data, first + i);
    bool yx = (head->flags & SZ_HEAD_YX) != 0;
    float x = a[0] + v[yx ? 1 : 0] / head->floats[0] * a[2];
    float y = a[1] + v[yx ? 0 : 1] / head->floats[1] * a[3];
    float w = v[yx ? 3 : 2] / head->floats[2];
    float h = v[yx ? 2 : 3] / head->floats[3];
    bool exponential = (head->flags & SZ_HEAD_EXP_SIZE) != 0;
    w = a[2] * (exponential ? sz_expf(w) : w);
    h = a[3] * (exponential ? sz_expf(h) : h);
    box[0] = x - w / 2.0f;
    box[1] = y - h / 2.0f;
    box[2] = x + w / 2.0f;
    box[3] = y + h / 2.0f;
    return sz_is_finite(box[0]) && sz_is_finite(box[1]) && sz_is_finite(box[2]) && sz_is_finite(box[3]);
}

/* Keeps the list sorted; of equal scores the earlier anchor stays first. When it is full the worst is lost.
 */
static void insert(struct sz_candidate_list *list, const struct sz_candidate *candidate)
{
    uint32_t at = list->count;
    if (at == SZ_MAX_CANDIDATES) {
        if (!(candidate->score > list->best[at - 1].score))
            return;
        at--;
    } else {
        list->count++;
    }
    for (; at > 0 && candidate->score > list->best[at - 1].score; at--)
        list->best[at] = list->best[at - 1];
    list->best[at] = *candidate;
}

static void collect(const struct sz_detection_input *in, struct sz_candidate_list *list)
{
    const struct sz_head_record *head = in->head;
    size_t anchors = in->scores->dims[1];
    size_t columns = in->scores->dims[2];
    list->count = 0;
    for (size_t a = 0; a < anchors; a++) {
        struct sz_softmax s = {0.0f, 1.0f};
        if ((head->flags & SZ_HEAD_SOFTMAX) != 0)
            s = sz_softmax_of(in->scores, in->score_data, a * columns, columns);
        for (size_t k = head->first_class; k < columns; k++) {
            struct sz_candidate candidate = {.class_index = (uint16_t)(k - head->first_class)};
            float score = clipped(sz_value_at(in->scores, in->score_data, a * columns + k), head->floats[4]);
            if ((head->flags & SZ_HEAD_SOFTMAX) != 0)
                score = sz_softmax_share(&s, score);
            if ((head->flags & SZ_HEAD_SIGMOID) != 0)
                score = sz_sigmoidf(score);
            candidate.score = score;
            if (sz_is_finite(score) && score >= head->floats[5] && decode(in, a, candidate.box))
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
        if (c->suppressed || (per_class && c->class_index != best->class_index))
            continue;
        if (i != first && !(overlap(best->box, c->box) > in->head->floats[6]))
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
