#include "models/stream.h"
#include "tinylib/bands.h"

#include <string.h>

/* The segments that one step reads, ascending. */
struct needs {
    uint32_t count;
    uint16_t segments[SZ_MAX_OP_INPUTS]; /* and at least SZ_MAX_BAND_SEGMENTS */
};

_Static_assert(SZ_MAX_OP_INPUTS >= SZ_MAX_BAND_SEGMENTS, "segments of a step");

static void need(struct needs *needs, const struct sz_graph *graph, uint16_t tensor)
{
    const struct sz_tensor_record *const t = tensor == SZ_NONE ? NULL : &graph->tensors[tensor];
    uint32_t at = 0;
    if (t == NULL || t->place != SZ_WEIGHTS) {
        return;
    }
    while (at < needs->count && needs->segments[at] < t->segment) {
        at++;
    }
    if (at < needs->count && needs->segments[at] == t->segment) {
        return;
    }
    for (uint32_t i = needs->count++; i > at; i--) {
        needs->segments[i] = needs->segments[i - 1];
    }
    needs->segments[at] = t->segment;
}

/* An operator's, or behind the last operator the head's. Operators in bands run with the first of them; the
 * engine has checked that theirs are few. */
static struct needs needs_of(const struct sz_graph *graph, uint32_t op)
{
    struct needs needs = {0};
    const uint32_t end = op == 0 && graph->header->band_ops > 0 ? graph->header->band_ops : op + 1;
    if (op > 0 && op < graph->header->band_ops) {
        return needs;
    }
    if (op < graph->header->op_count) {
        for (; op < end; op++) {
            for (uint32_t i = 0; i < graph->ops[op].input_count; i++) {
                need(&needs, graph, graph->ops[op].inputs[i]);
            }
        }
    } else if (graph->header->head.kind == SZ_HEAD_DETECTIONS) {
        need(&needs, graph, graph->header->head.tensors[2]);
    }
    return needs;
}

static size_t room_for(const struct sz_slot *slot, uint32_t segment)
{
    return sz_buffer_aligned(slot->graph.segment_bytes[segment]);
}

size_t sz_stream_window_needed(const struct sz_slot *slot)
{
    size_t most = 0;
    for (uint32_t i = 0; i < slot->container.segment_count; i++) { /* where each is verified when loading */
        const size_t room = room_for(slot, i);
        most = room > most ? room : most;
    }
    for (uint32_t op = 0; op <= slot->graph.header->op_count; op++) {
        const struct needs needs = needs_of(&slot->graph, op);
        size_t sum = 0;
        for (uint32_t i = 0; i < needs.count; i++) {
            sum += room_for(slot, needs.segments[i]);
        }
        most = sum > most ? sum : most;
    }
    return most;
}

uint32_t sz_stream_wanted(const struct sz_slot *slot)
{
    const struct needs needs = needs_of(&slot->graph, slot->op);
    for (uint32_t i = 0; i < needs.count; i++) {
        if (sz_slot_table(slot)[needs.segments[i]].bytes == NULL) {
            return needs.segments[i];
        }
    }
    return SZ_STREAM_NONE;
}

static bool is_in_window(const struct sz_slot *slot, uint32_t segment)
{
    return sz_slot_table(slot)[segment].bytes != NULL && !sz_slot_is_resident(slot, segment);
}

/* Everything but what the present operator reads gives way. */
static void compact(struct sz_slot *slot)
{
    const struct needs needs = needs_of(&slot->graph, slot->op);
    struct sz_segment *const table = sz_slot_table(slot);
    const uint8_t *kept[SZ_MAX_OP_INPUTS] = {0};
    for (uint32_t i = 0; i < needs.count; i++) {
        kept[i] = is_in_window(slot, needs.segments[i]) ? table[needs.segments[i]].bytes : NULL;
    }
    for (uint32_t i = 0; i < slot->container.segment_count; i++) {
        if (is_in_window(slot, i)) {
            table[i].bytes = NULL;
        }
    }
    slot->window_used = 0;
    for (uint32_t moved = 0; moved < needs.count; moved++) { /* the lowest first: none overwrites another */
        uint32_t lowest = SZ_STREAM_NONE;
        for (uint32_t i = 0; i < needs.count; i++) {
            if (kept[i] != NULL && (lowest == SZ_STREAM_NONE || kept[i] < kept[lowest])) {
                lowest = i;
            }
        }
        if (lowest != SZ_STREAM_NONE) {
            const uint16_t segment = needs.segments[lowest];
            memmove(slot->window.at + slot->window_used, kept[lowest], table[segment].length);
            table[segment].bytes = slot->window.at + slot->window_used;
            slot->window_used += room_for(slot, segment);
            kept[lowest] = NULL;
        }
    }
}

enum sz_code sz_stream_take(struct sz_slot *slot, uint32_t segment, const volatile uint8_t *shared,
                            size_t length)
{
    uint32_t size = 0;
    const uint8_t *const digest = sz_container_segment(&slot->container, segment, &size);
    enum sz_code code;
    if (length != size) {
        return SZ_MODEL_DIGEST;
    }
    if (slot->window_used + room_for(slot, segment) > slot->window.length) {
        compact(slot);
    }
    if (slot->window_used + room_for(slot, segment) > slot->window.length) {
        return SZ_INFERENCE_FAILED; /* never: the window holds what any one operator reads */
    }
    code = sz_segment_open(slot->commitment.content_key, segment + 1, shared, length, digest,
                           slot->window.at + slot->window_used);
    if (code == SZ_OK) {
        sz_slot_table(slot)[segment].bytes = slot->window.at + slot->window_used;
        slot->window_used += room_for(slot, segment);
    }
    return code;
}

void sz_stream_clear(struct sz_slot *slot)
{
    if (slot->window.at == NULL) {
        return;
    }
    for (uint32_t i = 0; i < slot->container.segment_count; i++) {
        if (is_in_window(slot, i)) {
            sz_slot_table(slot)[i].bytes = NULL;
        }
    }
    sz_wipe(slot->window.at, slot->window.length);
    slot->window_used = 0;
}

void sz_stream_walk_whole(struct sz_stream_walk *walk, const struct sz_slot *slot)
{
    memset(walk, 0, sizeof *walk);
    walk->slot = slot;
}

static void mark(struct sz_stream_walk *walk, uint32_t segment)
{
    walk->in_window[segment / 8] = (uint8_t)(walk->in_window[segment / 8] | 1u << segment % 8);
}

static bool is_marked(const struct sz_stream_walk *walk, uint32_t segment)
{
    return (walk->in_window[segment / 8] >> segment % 8 & 1) != 0;
}

void sz_stream_walk_now(struct sz_stream_walk *walk, const struct sz_slot *slot)
{
    sz_stream_walk_whole(walk, slot);
    walk->op = slot->op;
    walk->used = slot->window_used;
    for (uint32_t i = 0; i < slot->container.segment_count; i++) {
        if (is_in_window(slot, i)) {
            mark(walk, i);
        }
    }
}

/* What compact() does, without the bytes. */
static void walk_compact(struct sz_stream_walk *walk, const struct needs *needs)
{
    bool kept[SZ_MAX_OP_INPUTS] = {0};
    for (uint32_t i = 0; i < needs->count; i++) {
        kept[i] = is_marked(walk, needs->segments[i]);
    }
    memset(walk->in_window, 0, sizeof walk->in_window);
    walk->used = 0;
    for (uint32_t i = 0; i < needs->count; i++) {
        if (kept[i]) {
            mark(walk, needs->segments[i]);
            walk->used += room_for(walk->slot, needs->segments[i]);
        }
    }
}

uint32_t sz_stream_walk_next(struct sz_stream_walk *walk)
{
    const struct sz_slot *const slot = walk->slot;
    for (; walk->op <= slot->graph.header->op_count; walk->op++) {
        const struct needs needs = needs_of(&slot->graph, walk->op);
        for (uint32_t i = 0; i < needs.count; i++) {
            const uint16_t segment = needs.segments[i];
            if (sz_slot_is_resident(slot, segment) || is_marked(walk, segment)) {
                continue;
            }
            if (walk->used + room_for(slot, segment) > slot->window.length) {
                walk_compact(walk, &needs);
            }
            mark(walk, segment);
            walk->used += room_for(slot, segment);
            return segment;
        }
    }
    return SZ_STREAM_NONE;
}
