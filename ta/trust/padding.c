#include "trust/padding.h"

#include <string.h>

bool sz_pad(uint8_t *bytes, size_t length, size_t size)
{
    if (length >= size) {
        return false;
    }
    bytes[length] = 0x80;
    memset(bytes + length + 1, 0, size - length - 1);
    return true;
}
