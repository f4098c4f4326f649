#include "models/buffer.h"
#include "models/running.h"
#include "trust/crypto.h"

#include <tee_internal_api.h>

bool sz_buffer_allocate(struct sz_buffer *buffer, size_t length)
{
    uintptr_t address;
    if (length > SIZE_MAX - SZ_BUFFER_ALIGNMENT) {
        return false;
    }
    buffer->allocation = TEE_Malloc(length + SZ_BUFFER_ALIGNMENT, TEE_MALLOC_FILL_ZERO);
    if (buffer->allocation == NULL) {
        return false;
    }
    address =
        ((uintptr_t)buffer->allocation + SZ_BUFFER_ALIGNMENT - 1) & ~(uintptr_t)(SZ_BUFFER_ALIGNMENT - 1);
    buffer->at = (uint8_t *)address;
    buffer->length = length;
    return true;
}

bool sz_buffer_obtain(struct sz_buffer *buffer, size_t length)
{
    while (!sz_buffer_allocate(buffer, length)) {
        if (!sz_running_shrink()) {
            return false;
        }
    }
    return true;
}

void sz_buffer_release(struct sz_buffer *buffer)
{
    if (buffer->allocation != NULL) {
        sz_wipe(buffer->at, buffer->length);
        TEE_Free(buffer->allocation);
    }
    *buffer = (struct sz_buffer){0};
}

size_t sz_buffer_largest(void)
{
    enum { STEP = 4096 };
    uint32_t heap = 0;
    size_t possible = 0, beyond;
    if (TEE_GetPropertyAsU32(TEE_PROPSET_CURRENT_TA, "gpd.ta.dataSize", &heap) != TEE_SUCCESS) {
        return 0;
    }
    beyond = (size_t)heap / STEP + 1;
    while (beyond - possible > 1) {
        const size_t middle = possible + (beyond - possible) / 2;
        struct sz_buffer trial = {0};
        if (sz_buffer_allocate(&trial, middle * STEP)) {
            possible = middle;
        } else {
            beyond = middle;
        }
        sz_buffer_release(&trial);
    }
    return possible * STEP;
}
