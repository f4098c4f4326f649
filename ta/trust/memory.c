#include "trust/memory.h"
#include "trust/channel.h"

#include <tee_internal_api.h>

void *sz_memory_take(size_t length)
{
    for (;;) {
        void *const memory = TEE_Malloc(length, TEE_MALLOC_FILL_ZERO);
        if (memory != NULL || (!sz_channel_forget_oldest() && !sz_model_give_way())) {
            return memory;
        }
    }
}
