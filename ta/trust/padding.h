/* ISO/IEC 7816-4 padding: 80 00 … to a fixed size. */
#ifndef SZ_PADDING_H
#define SZ_PADDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pads bytes[0..length) to exactly size. False if there is no room for at least the 80. */
bool sz_pad(uint8_t *bytes, size_t length, size_t size);

#endif
