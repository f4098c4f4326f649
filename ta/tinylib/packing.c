#include "packing.h"

#include <stddef.h>

#define SZ_PACKED_MOST ((uint64_t)1 << 31)

static uint64_t round_up(uint64_t value, uint64_t step)
{
    return (value + step - 1) / step * step;
}

uint64_t sz_packed_bytes(const struct sz_packing *packing, uint8_t layout, uint8_t dtype, uint8_t rank,
                         const uint32_t dims[SZ_MAX_RANK])
{
    bool depthwise = layout == SZ_LAYOUT_DEPTHWISE;
    uint64_t width = depthwise ? packing->channels : packing->columns;
    uint64_t outputs = depthwise ? dims[3] : dims[0];
    uint64_t length = 1;
    if ((layout != SZ_LAYOUT_PANELS && !depthwise) || (rank != 4 && (rank != 2 || depthwise)))
        return 0;
    if (dtype != SZ_F32 && dtype != SZ_I8)
        return 0;
    if (depthwise && dims[0] != 1)
        return 0;
    /* A dimension is at most 2^24 and every product before the last one below 2^31: nothing overflows. */
    if (depthwise) {
        length = round_up(dims[1], packing->tap_rows) * dims[2];
    } else {
        for (uint32_t i = 1; i < SZ_MAX_RANK; i++) {
            length *= dims[i];
            if (length >= SZ_PACKED_MOST)
                return 0;
        }
        length = round_up(length, packing->depth_step);
    }
    if (length >= SZ_PACKED_MOST)
        return 0;
    uint64_t each = dtype == SZ_I8 ? sizeof(int32_t) + sizeof(float) + length : sizeof(float) * (1 + length);
    uint64_t padded = round_up(outputs, width);
    return each > SZ_PACKED_MOST / padded ? 0 : padded * each;
}
