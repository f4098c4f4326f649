/*
 * Loads and stores of vectors at any address. TAs are compiled with -mstrict-align, and there gcc 12 takes
 * vld1q_u8() and its like apart into single bytes (60 instructions) where it cannot prove an alignment of 16.
 * LD1 and ST1 themselves need no more than that of an element.
 */
#ifndef SZ_TINYLIB_NEON_LOAD_H
#define SZ_TINYLIB_NEON_LOAD_H

#include <arm_neon.h>

struct sz_bytes_16 {
    uint8_t bytes[16];
} __attribute__((may_alias));

struct sz_bytes_8 {
    uint8_t bytes[8];
} __attribute__((may_alias));

static inline uint8x16_t sz_neon_load_16(const void *from)
{
    uint8x16_t value;
    __asm__ volatile("ld1 {%0.16b}, %1" : "=w"(value) : "Q"(*(const struct sz_bytes_16 *)from));
    return value;
}

static inline uint8x8_t sz_neon_load_8(const void *from)
{
    uint8x8_t value;
    __asm__ volatile("ld1 {%0.8b}, %1" : "=w"(value) : "Q"(*(const struct sz_bytes_8 *)from));
    return value;
}

static inline void sz_neon_store_16(void *to, uint8x16_t value)
{
    __asm__("st1 {%1.16b}, %0" : "=Q"(*(struct sz_bytes_16 *)to) : "w"(value));
}

static inline void sz_neon_store_8(void *to, uint8x8_t value)
{
    __asm__("st1 {%1.8b}, %0" : "=Q"(*(struct sz_bytes_8 *)to) : "w"(value));
}

/* Copies 64 bytes and moves both pointers behind them. */
static inline void sz_neon_copy_64(uint8_t **to, const uint8_t **from)
{
    __asm__ volatile("ld1 {v0.16b, v1.16b, v2.16b, v3.16b}, [%0], #64\n\t"
                     "st1 {v0.16b, v1.16b, v2.16b, v3.16b}, [%1], #64"
                     : "+r"(*from), "+r"(*to)
                     :
                     : "memory", "v0", "v1", "v2", "v3");
}

#endif
