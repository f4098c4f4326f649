#include "trust/padding.h"

/* Every byte is written, whatever the length is: that says how much was seen. */
bool sz_pad(uint8_t *bytes, size_t length, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        /* All ones where i is before, or at, the end of what is there. */
        const size_t before = (size_t)0 - (size_t)(i < length), at = (size_t)0 - (size_t)(i == length);
        bytes[i] = (uint8_t)((bytes[i] & before) | (0x80 & at));
    }
    return length < size;
}
