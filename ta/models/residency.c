#include "models/residency.h"
#include "models/infer.h"
#include "models/stream.h"

static void settle(struct sz_slot *slot, uint32_t segment)
{
    sz_slot_table(slot)[segment].bytes = sz_slot_residents(slot)[segment].at;
}

static void give_up(struct sz_slot *slot, uint32_t segment)
{
    sz_buffer_release(&sz_slot_residents(slot)[segment]);
    settle(slot, segment);
}

/* How often a whole inference wants each segment. A model that runs in bands comes to some of them again and
 * again. */
static void count_uses(const struct sz_slot *slot, uint16_t uses[SZ_CONTAINER_MAX_SEGMENTS])
{
    struct sz_stream_walk walk;
    uint32_t segment;
    sz_stream_walk_whole(&walk, slot);
    while ((segment = sz_stream_walk_next(&walk)) != SZ_STREAM_NONE) {
        uses[segment] = (uint16_t)(uses[segment] + (uses[segment] < UINT16_MAX));
    }
}

/* Takes the segment wanted most often out of the list; of equals the first, so that an inference begins with
 * what is there and the rest can be fetched meanwhile. SZ_STREAM_NONE: none is left. */
static uint32_t pick(uint16_t uses[SZ_CONTAINER_MAX_SEGMENTS], uint32_t count)
{
    uint32_t best = SZ_STREAM_NONE;
    for (uint32_t i = 0; i < count; i++) {
        if (uses[i] > 0 && (best == SZ_STREAM_NONE || uses[i] > uses[best])) {
            best = i;
        }
    }
    if (best != SZ_STREAM_NONE) {
        uses[best] = 0;
    }
    return best;
}

static bool all_resident(struct sz_slot *slot)
{
    for (uint32_t i = 0; i < slot->container.segment_count; i++) {
        if (!sz_buffer_allocate(&sz_slot_residents(slot)[i], slot->graph.segment_bytes[i])) {
            for (uint32_t j = 0; j < i; j++) {
                sz_buffer_release(&sz_slot_residents(slot)[j]);
            }
            return false;
        }
    }
    return true;
}

/* The golden test is a frame and outputs; the frame lies in the arena. */
size_t sz_residency_reserve(const struct sz_slot *slot)
{
    const size_t frame = sz_input_shape_bytes(&slot->container.input);
    const size_t golden = slot->container.golden_size;
    return SZ_RESIDENCY_RESERVE + (golden > frame ? golden - frame : 0);
}

/* A window, and as many segments as fit beside it. */
static enum sz_code some_resident(struct sz_slot *slot)
{
    struct sz_buffer reserve = {0};
    uint16_t uses[SZ_CONTAINER_MAX_SEGMENTS] = {0};
    uint32_t segment;
    if (!sz_buffer_obtain(&slot->window, sz_stream_window_needed(slot)) ||
        !sz_buffer_obtain(&reserve, sz_residency_reserve(slot))) {
        return SZ_MODEL_MEMORY;
    }
    count_uses(slot, uses);
    while ((segment = pick(uses, slot->container.segment_count)) != SZ_STREAM_NONE) {
        (void)sz_buffer_allocate(&sz_slot_residents(slot)[segment], slot->graph.segment_bytes[segment]);
    }
    sz_buffer_release(&reserve);
    return SZ_OK;
}

enum sz_code sz_residency_decide(struct sz_slot *slot)
{
    struct sz_buffer reserve = {0};
    const bool all = sz_buffer_allocate(&reserve, sz_residency_reserve(slot)) && all_resident(slot);
    enum sz_code code;
    sz_buffer_release(&reserve);
    code = all ? SZ_OK : some_resident(slot);
    for (uint32_t i = 0; i < slot->container.segment_count; i++) {
        settle(slot, i);
    }
    return code;
}

bool sz_residency_shrink(struct sz_slot *slot)
{
    const bool windowed = slot->window.at != NULL;
    uint32_t i = slot->container.segment_count;
    if (slot->commitment.sequence == 0) {
        return false;
    }
    if (slot->inferring) {
        sz_slot_end_inference(slot);
    }
    while (i-- > 0) { /* the last first: those before are wanted more often, or come first */
        if (!sz_slot_is_resident(slot, i)) {
            continue;
        }
        give_up(slot, i);
        if (windowed || sz_buffer_allocate(&slot->window, sz_stream_window_needed(slot))) {
            return true;
        }
    }
    return false;
}

uint32_t sz_residency_grow(const struct sz_slot *slot, struct sz_buffer *place)
{
    struct sz_buffer reserve = {0};
    uint16_t uses[SZ_CONTAINER_MAX_SEGMENTS] = {0};
    uint32_t segment = SZ_STREAM_NONE;
    if (slot->window.at == NULL || !sz_buffer_allocate(&reserve, SZ_RESIDENCY_RESERVE)) {
        return SZ_STREAM_NONE;
    }
    count_uses(slot, uses);
    do {
        segment = pick(uses, slot->container.segment_count);
    } while (segment != SZ_STREAM_NONE && !sz_buffer_allocate(place, slot->graph.segment_bytes[segment]));
    sz_buffer_release(&reserve);
    return segment;
}

void sz_residency_keep(struct sz_slot *slot, uint32_t segment, struct sz_buffer *place)
{
    bool all = true;
    sz_slot_residents(slot)[segment] = *place;
    *place = (struct sz_buffer){0};
    settle(slot, segment);
    for (uint32_t i = 0; i < slot->container.segment_count; i++) {
        all = all && sz_slot_is_resident(slot, i);
    }
    if (all) {
        sz_stream_clear(slot);
        sz_buffer_release(&slot->window);
    }
}
