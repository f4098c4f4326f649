/* Shortest forms of IEEE 754 numbers (RFC 8949, section 4.2.1: the shortest that keeps the value; one NaN).
 */
#ifndef SZ_CBOR_FLOAT_H
#define SZ_CBOR_FLOAT_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the shortest form of value, 2, 4 or 8, and its bits. NaN is 0x7e00. */
size_t sz_float_shortest(double value, uint64_t *bits);

/* The value of a form of 2, 4 or 8 bytes. */
double sz_float_value(uint64_t bits, size_t size);

#endif
