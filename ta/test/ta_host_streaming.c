/* Linked in front of the TA's residency in a ta_host (ta_host.mk): a model with several weight segments keeps
 * none of them, however much room there is, so that the executable specification (test/ta/model) can say
 * which segments a frame wants, without a model of the heap. How residency really decides is
 * test/ta/streaming's. */
#include "models/residency.h"
#include "models/stream.h"

enum sz_code __real_sz_residency_decide(struct sz_slot *slot);
enum sz_code __wrap_sz_residency_decide(struct sz_slot *slot);
enum sz_code __wrap_sz_residency_decide(struct sz_slot *slot)
{
    if (slot->container.segment_count < 2) {
        return __real_sz_residency_decide(slot);
    }
    for (uint32_t i = 0; i < slot->container.segment_count; i++) {
        sz_slot_table(slot)[i].bytes = NULL;
    }
    return sz_buffer_obtain(&slot->window, sz_stream_window_needed(slot)) ? SZ_OK : SZ_MODEL_MEMORY;
}

uint32_t __wrap_sz_residency_grow(const struct sz_slot *slot, struct sz_buffer *place);
uint32_t __wrap_sz_residency_grow(const struct sz_slot *slot, struct sz_buffer *place)
{
    (void)slot;
    (void)place;
    return SZ_STREAM_NONE;
}
