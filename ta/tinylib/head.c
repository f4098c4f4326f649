/* Top-k, reconstruction error and embedding: what the raw outputs mean. Detections are in detections.c. */
#include "head.h"

#include "../tinylibm/tinylibm.h"
#include "check.h"
#include "run_packed.h"

float sz_value_at(const struct sz_tensor_record *t, const void *data, size_t i)
{
    if (t->dtype == SZ_F32)
        return ((const float *)data)[i];
    return (float)(((const int8_t *)data)[i] - t->zero_point) * t->scale;
}

/* More elements than there are values of int8: each value's exponential once. Added up in the same order. */
static float sum_of_i8(const struct sz_tensor_record *t, const uint8_t *data, size_t n, float greatest)
{
    float exponentials[256], sum = 0.0f;
    bool seen[256] = {false};
    for (size_t i = 0; i < n; i++) {
        if (!seen[data[i]])
            exponentials[data[i]] = sz_expf(sz_value_at(t, data, i) - greatest);
        seen[data[i]] = true;
        sum += exponentials[data[i]];
    }
    return sum;
}

struct sz_softmax sz_softmax_of(const struct sz_tensor_record *t, const void *data, size_t from, size_t n)
{
    struct sz_softmax s = {sz_value_at(t, data, from), 0.0f};
    for (size_t i = 1; i < n; i++) {
        float v = sz_value_at(t, data, from + i);
        s.greatest = v > s.greatest ? v : s.greatest;
    }
    if (t->dtype == SZ_I8 && n > 256)
        s.sum = sum_of_i8(t, (const uint8_t *)data + from, n, s.greatest);
    else
        for (size_t i = 0; i < n; i++)
            s.sum += sz_expf(sz_value_at(t, data, from + i) - s.greatest);
    return s;
}

/* Of equal scores the lower class comes first. */
static void insert(struct sz_result *results, size_t *count, size_t most, uint16_t class_index, float score)
{
    size_t at = *count;
    if (at == most && !(score > results[at - 1].score))
        return;
    at = at == most ? at - 1 : at;
    for (; at > 0 && score > results[at - 1].score; at--)
        results[at] = results[at - 1];
    memset(&results[at], 0, sizeof(results[at]));
    results[at].class_index = class_index;
    results[at].score = score;
    *count = *count < most ? *count + 1 : most;
}

static void top_k(const struct sz_head_record *head, const struct sz_tensor_record *t, const void *scores,
                  struct sz_result *results, size_t *count)
{
    size_t n = t->bytes / sz_dtype_size(t->dtype);
    bool softmax = (head->flags & SZ_HEAD_SOFTMAX) != 0;
    struct sz_softmax s = softmax ? sz_softmax_of(t, scores, 0, n) : (struct sz_softmax){0.0f, 1.0f};
    for (size_t i = 0; i < n; i++) {
        float score = sz_value_at(t, scores, i);
        /* Shares grow with values: what is not above the last of a full list needs none. */
        if (*count == head->max_results && !(score > sz_value_at(t, scores, results[*count - 1].class_index)))
            continue;
        if (softmax)
            score = sz_softmax_share(&s, score);
        if (sz_is_finite(score) && score >= head->floats[0])
            insert(results, count, head->max_results, (uint16_t)i, score);
    }
}

/* The mean over double: a sum of many small squares. */
static void reconstruction(const struct sz_graph *graph, const struct sz_tensor_record *t, const void *output,
                           const uint8_t *arena, struct sz_result *results, size_t *count)
{
    const struct sz_tensor_record *in = &graph->tensors[graph->header->input];
    const void *input = arena + in->offset;
    size_t n = t->bytes / sz_dtype_size(t->dtype);
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double difference = (double)sz_value_at(in, input, i) - (double)sz_value_at(t, output, i);
        sum += difference * difference;
    }
    float score = (float)(sum / (double)n);
    memset(results, 0, sizeof(*results));
    /* Not a number, or too great: as anomalous as can be. */
    results->score = sz_is_finite(score) ? score : sz_float_of_bits(0x7f7fffffu);
    results->class_index = results->score > graph->header->head.floats[0] ? 1 : 0;
    *count = 1;
}

enum sz_engine_status sz_head_results(const struct sz_graph *graph, const struct sz_segment *segments,
                                      size_t segment_count, const void *arena, size_t arena_length,
                                      void *work, size_t work_length, struct sz_result *results,
                                      size_t capacity, size_t *count)
{
    const struct sz_head_record *head = &graph->header->head;
    *count = 0;
    if (arena == NULL || arena_length < graph->header->arena_size || (uintptr_t)arena % SZ_ALIGNMENT != 0)
        return SZ_ENGINE_ARENA;
    if (head->kind == SZ_HEAD_NONE || head->kind == SZ_HEAD_VECTOR)
        return SZ_ENGINE_OK;
    if (results == NULL || capacity < head->max_results)
        return SZ_ENGINE_CAPACITY;
    const struct sz_tensor_record *t = &graph->tensors[head->tensors[0]];
    const void *output = (const uint8_t *)arena + t->offset;
    if (head->kind == SZ_HEAD_TOP_K)
        top_k(head, t, output, results, count);
    else if (head->kind == SZ_HEAD_RECONSTRUCTION)
        reconstruction(graph, t, output, arena, results, count);
    if (head->kind != SZ_HEAD_DETECTIONS)
        return SZ_ENGINE_OK;
    const struct sz_tensor_record *anchors = &graph->tensors[head->tensors[2]];
    if (segment_count != graph->header->segment_count || segments == NULL ||
        !sz_is_segment_there(graph, segments, anchors->segment))
        return SZ_ENGINE_SEGMENT;
    if (work == NULL || work_length < sz_head_work_size(head) || (uintptr_t)work % 8 != 0)
        return SZ_ENGINE_WORK;
    struct sz_detection_input input = {
        .head = head,
        .boxes = t,
        .box_data = output,
        .scores = &graph->tensors[head->tensors[1]],
        .score_data = (const uint8_t *)arena + graph->tensors[head->tensors[1]].offset,
        .anchors = (const float *)(const void *)((const uint8_t *)segments[anchors->segment].bytes +
                                                 anchors->offset),
    };
    *count = sz_detect(&input, work, results);
    return SZ_ENGINE_OK;
}
