/* Lays the inputs of output pixels side by side: the rows of a convolution's matrix product. */
#ifndef SZ_TINYLIB_GATHER_ROWS_H
#define SZ_TINYLIB_GATHER_ROWS_H

#include <stddef.h>
#include <stdint.h>

/* The whole of a matrix product. Sizes of values are in bytes. */
struct sz_rows {
    int32_t in_h, in_w, out_w, window_h, window_w;
    const int32_t *ints;
    size_t pixel;         /* bytes of an input pixel: all channels */
    size_t per_picture;   /* rows */
    size_t picture_bytes; /* of x */
    size_t rows;
    size_t depth;  /* values, before filling up */
    size_t padded; /* after */
    size_t size;   /* of a value */
    const uint8_t *x, *x_end;
    int filler; /* padding: zero_x, or the bytes of 0.0f */
};

/* Rows `row` .. row + count - 1, `stride` bytes each, the depth filled up with zeros; to_end is the end of
 * the buffer. */
void sz_gather_rows(const struct sz_rows *rows, size_t row, size_t count, size_t stride, uint8_t *to,
                    const uint8_t *to_end);

#endif
