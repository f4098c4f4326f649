/* The running model. */
#include "models/running.h"
#include "models/infer.h"
#include "models/residency.h"
#include "models/results.h"
#include "models/stream.h"

static struct sz_slot running;
static struct sz_results last;
static struct {
    uint32_t segment; /* which the place is for; says something only while there is a place */
    struct sz_buffer place;
} growing;

void sz_running_replace(const struct sz_slot *slot)
{
    sz_buffer_release(&growing.place);
    sz_slot_release(&running);
    running = *slot;
}

void sz_running_release(void)
{
    sz_buffer_release(&growing.place);
    sz_slot_release(&running);
    sz_wipe(&last, sizeof last);
}

void sz_model_release(void)
{
    sz_model_load_abort();
    sz_running_release();
}

uint32_t sz_model_growth_wanted(void)
{
    return sz_model_loading() ? UINT32_MAX : sz_running_grow_wanted();
}

bool sz_running_shrink(void)
{
    if (growing.place.at != NULL) {
        sz_buffer_release(&growing.place);
        return true;
    }
    return sz_residency_shrink(&running);
}

uint32_t sz_running_grow_wanted(void)
{
    if (growing.place.at == NULL && !running.inferring && sz_model_active()) {
        growing.segment = sz_residency_grow(&running, &growing.place);
    }
    return growing.place.at != NULL ? growing.segment + 1 : UINT32_MAX;
}

enum sz_code sz_running_grow(uint32_t index, const volatile uint8_t *shared, size_t length)
{
    const uint8_t *digest;
    uint32_t size = 0;
    enum sz_code code;
    if (growing.place.at == NULL) {
        return SZ_MODEL_UNKNOWN;
    }
    if (index != growing.segment + 1) {
        return SZ_MODEL_ORDER;
    }
    digest = sz_container_segment(&running.container, growing.segment, &size);
    if (length != size) {
        code = SZ_MODEL_DIGEST;
    } else {
        code =
            sz_segment_open(running.commitment.content_key, index, shared, length, digest, growing.place.at);
    }
    if (code == SZ_OK) {
        if (running.inferring) {
            sz_slot_end_inference(&running);
        }
        sz_residency_keep(&running, growing.segment, &growing.place);
    }
    sz_buffer_release(&growing.place);
    return code;
}

size_t sz_model_streamed(void)
{
    struct sz_stream_walk walk;
    size_t bytes = 0;
    uint32_t segment;
    if (running.window.at == NULL) {
        return 0;
    }
    sz_stream_walk_whole(&walk, &running);
    while ((segment = sz_stream_walk_next(&walk)) != SZ_STREAM_NONE) {
        bytes += running.graph.segment_bytes[segment] + SZ_SEGMENT_OVERHEAD;
    }
    return bytes;
}

bool sz_model_active(void)
{
    return running.commitment.sequence != 0;
}

const uint8_t *sz_model_digest(void)
{
    return running.commitment.manifest_digest;
}

const struct sz_input_shape *sz_model_input(void)
{
    return &running.container.input;
}

uint8_t *sz_model_frame_buffer(size_t *capacity)
{
    *capacity = sz_input_shape_bytes(&running.container.input) + SZ_FRAME_FRAMING;
    return sz_slot_plaintext(&running);
}

static enum sz_code advance(void)
{
    const enum sz_code code = sz_slot_advance(&running);
    return code == SZ_OK ? sz_slot_results(&running, &last) : code;
}

enum sz_code sz_model_infer(struct sz_bytes data)
{
    enum sz_code code;
    if (!sz_model_active()) {
        return SZ_NO_MODEL;
    }
    code = sz_slot_begin(&running, data);
    return code == SZ_OK ? advance() : code;
}

bool sz_model_give_way(void)
{
    return sz_running_shrink();
}

uint8_t *sz_model_label_room(size_t *each)
{
    *each = running.label.length / 2;
    return running.label.at;
}

bool sz_model_inferring(void)
{
    return running.inferring;
}

enum sz_code sz_model_infer_continue(uint32_t index, const volatile uint8_t *shared, size_t length)
{
    enum sz_code code = SZ_SEGMENTS_WANTED;
    size_t at = 0;
    if (!running.inferring) {
        return SZ_NO_INFERENCE;
    }
    if (sz_stream_wanted(&running) == SZ_STREAM_NONE || index != sz_stream_wanted(&running) + 1) {
        return SZ_MODEL_ORDER;
    }
    do {
        const uint32_t segment = sz_stream_wanted(&running);
        uint32_t size = 0;
        (void)sz_container_segment(&running.container, segment, &size);
        if (size > length - at) {
            return SZ_TRUNCATED;
        }
        code = sz_stream_take(&running, segment, shared + at, size);
        at += size;
        if (code == SZ_OK) {
            code = advance();
        }
    } while (code == SZ_SEGMENTS_WANTED && at < length);
    return code == SZ_OK && at < length ? SZ_TRAILING_BYTES : code;
}

uint32_t sz_model_write_wanted(struct sz_cbor_writer *writer, uint32_t most)
{
    const uint32_t first = sz_stream_wanted(&running) + 1;
    struct sz_stream_walk walk;
    uint32_t count = 0;
    sz_stream_walk_now(&walk, &running);
    while (count < most && sz_stream_walk_next(&walk) != SZ_STREAM_NONE) {
        count++;
    }
    sz_cbor_put_array(writer, count);
    sz_stream_walk_now(&walk, &running);
    for (uint32_t i = 0; i < count; i++) {
        sz_cbor_put_uint(writer, sz_stream_walk_next(&walk) + 1);
    }
    return first;
}

void sz_model_write_results(struct sz_cbor_writer *writer)
{
    sz_results_write(&running, &last, writer);
}

size_t sz_model_results_bound(void)
{
    return sz_results_bound(&running.container);
}

void sz_model_wipe_inference(void)
{
    sz_slot_end_inference(&running);
    sz_wipe(&last, sizeof last);
}

void sz_model_memory(size_t *model, size_t *arena)
{
    *arena = running.arena.length;
    *model = running.header.length + running.work.length + running.table.length + running.residents.length +
             running.arena.length + running.window.length + running.label.length;
    for (uint32_t i = 0; running.residents.at != NULL && i < running.container.segment_count; i++) {
        *model += sz_slot_residents(&running)[i].length;
    }
}
