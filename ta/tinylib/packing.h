/*
 * Packed weights: what they hold for every target, and how long they are. The publisher packs them
 * (clients/publisher/packing), so that the device re-lays nothing.
 *
 * PANELS. Output channels are divided into panels of `columns` (the last one filled up with zeros); a panel
 * is
 *
 *     int32_t or float bias[columns]
 *     float scale[columns]                 (i8 only; the first one's sign bit may be a mark for the kernel)
 *     i8 or f32 weights[depth'][columns]   in the order that the target's kernel reads
 *
 * where the depth, KH * KW * C (or I), is filled up with zero weights to a multiple of `depth_step`: depth'.
 *
 * DEPTHWISE. Channels are divided into blocks of `channels` (the last one filled up); a block is
 *
 *     int32_t or float bias[channels]
 *     float scale[channels]                (i8 only)
 *     i8 or f32 weights[taps'][channels]   in the order that the target's kernel reads
 *
 * where taps' is KW times KH, with KH filled up to a multiple of `tap_rows`.
 *
 * The int8 bias already holds everything that does not depend on the input, modulo 2^32:
 *
 *     bias' = bias - (zero_x + input_offset) * sum(w) + (panels: depth * zero_x * zero_w;
 *                                               depthwise: taps * (zero_x + input_offset) * zero_w)
 *
 * so that with u = x + input_offset (128 where the kernel multiplies unsigned inputs, otherwise 0)
 *
 *     sum((x - zero_x) * (w - zero_w)) + bias = bias' + sum(u * w) - zero_w * sum(panels: x; depthwise: u)
 */
#ifndef SZ_TINYLIB_PACKING_H
#define SZ_TINYLIB_PACKING_H

#include "graph.h"

struct sz_packing {
    uint16_t columns;    /* output channels of a panel */
    uint16_t depth_step; /* values of the depth that a kernel takes at once */
    uint16_t rows;       /* most rows (output pixels) of one kernel call */
    uint16_t panels;     /* most adjacent panels of one kernel call */
    uint16_t channels;   /* channels of a depthwise block */
    uint16_t tap_rows;
    uint16_t input_offset; /* i8: 0 or 128 */
};

/* Bytes of packed weights of type dtype; 0 if the layout is none of a packed tensor's, or above 2^31. dims:
 * each 1 .. 2^24. */
uint64_t sz_packed_bytes(const struct sz_packing *packing, uint8_t layout, uint8_t dtype, uint8_t rank,
                         const uint32_t dims[SZ_MAX_RANK]);

#endif
