/*
 * The float32 tile of four rows and 16 columns for Cortex-A53 (build with -DSZ_CORTEX_A53): a vector of
 * weights is loaded as 64 bits, 64 bits by way of a general register, and an insertion, each of which issues
 * together with a multiplication there (README.md). Registers: 0..3 first two inputs of each row, 4..7 the
 * other two; 8..11 and 12..15 weights of the even and odd depths; 16 + 4 * row + column / 4 sums.
 */
#ifndef SZ_TINYLIB_NEON_TILE_4X16_A53_H
#define SZ_TINYLIB_NEON_TILE_4X16_A53_H

/* clang-format off */
#define TWO_A53(V, R, AT) "ldr d" #V ", [%[a" #R "], #" #AT "]\n\t"
#define MOVE_TWO_A53(V, R) "ldr d" #V ", [%[a" #R "], #16]!\n\t"
#define LOW_A53(V, AT) "ldr d" #V ", [%[b], #" #AT "]\n\t"
#define HIGH_A53(X, AT) "ldr x" #X ", [%[b], #" #AT " + 8]\n\t"
#define JOIN_A53(V, X) "ins v" #V ".d[1], x" #X "\n\t"

/* A row of one depth: four multiplications, between them the loads of one vector of the next depth. */
#define ROW_A53(A, K, B0, B1, B2, B3, S0, S1, S2, S3, MORE, V, AT, AFTER) \
    MULTIPLY(S0, B0, A, K) MORE(LOW_A53(V, AT)) MULTIPLY(S1, B1, A, K) MORE(HIGH_A53(9, AT)) \
    MULTIPLY(S2, B2, A, K) AFTER MULTIPLY(S3, B3, A, K) MORE(JOIN_A53(V, 9))

#define ALWAYS(LOAD) LOAD
#define NEVER(LOAD)
/* Four depths. The inputs' pointers move with the first load of the next four. */
#define FOUR_DEPTHS_A53(MORE) \
    ROW_A53(0, 0, 8, 9, 10, 11, 16, 17, 18, 19, ALWAYS, 12, 64, ) \
    ROW_A53(1, 0, 8, 9, 10, 11, 20, 21, 22, 23, ALWAYS, 13, 80, ) \
    ROW_A53(2, 0, 8, 9, 10, 11, 24, 25, 26, 27, ALWAYS, 14, 96, ) \
    ROW_A53(3, 0, 8, 9, 10, 11, 28, 29, 30, 31, ALWAYS, 15, 112, ) \
    ROW_A53(0, 1, 12, 13, 14, 15, 16, 17, 18, 19, ALWAYS, 8, 128, ) \
    ROW_A53(1, 1, 12, 13, 14, 15, 20, 21, 22, 23, ALWAYS, 9, 144, ) \
    ROW_A53(2, 1, 12, 13, 14, 15, 24, 25, 26, 27, ALWAYS, 10, 160, ) \
    ROW_A53(3, 1, 12, 13, 14, 15, 28, 29, 30, 31, ALWAYS, 11, 176, ) \
    ROW_A53(4, 0, 8, 9, 10, 11, 16, 17, 18, 19, ALWAYS, 12, 192, MORE(MOVE_TWO_A53(0, 0))) \
    ROW_A53(5, 0, 8, 9, 10, 11, 20, 21, 22, 23, ALWAYS, 13, 208, MORE(MOVE_TWO_A53(1, 1))) \
    ROW_A53(6, 0, 8, 9, 10, 11, 24, 25, 26, 27, ALWAYS, 14, 224, MORE(MOVE_TWO_A53(2, 2))) \
    ROW_A53(7, 0, 8, 9, 10, 11, 28, 29, 30, 31, ALWAYS, 15, 240, MORE(MOVE_TWO_A53(3, 3))) \
    ROW_A53(4, 1, 12, 13, 14, 15, 16, 17, 18, 19, MORE, 8, 256, ) \
    ROW_A53(5, 1, 12, 13, 14, 15, 20, 21, 22, 23, MORE, 9, 272, MORE(TWO_A53(4, 0, 8))) \
    ROW_A53(6, 1, 12, 13, 14, 15, 24, 25, 26, 27, MORE, 10, 288, MORE(TWO_A53(5, 1, 8))) \
    ROW_A53(7, 1, 12, 13, 14, 15, 28, 29, 30, 31, MORE, 11, 304, MORE(TWO_A53(6, 2, 8))) \
    MORE(TWO_A53(7, 3, 8) "add %[b], %[b], #256\n\t")

#define SUMS_A53 \
    TWO_A53(0, 0, 0) TWO_A53(1, 1, 0) TWO_A53(2, 2, 0) TWO_A53(3, 3, 0) \
    TWO_A53(4, 0, 8) TWO_A53(5, 1, 8) TWO_A53(6, 2, 8) TWO_A53(7, 3, 8) \
    "ld1 {v8.4s, v9.4s, v10.4s, v11.4s}, [%[b]]\n\t" \
    "subs %[n], %[n], #4\n\t" \
    "b.eq 2f\n" \
    "1:\n\t" FOUR_DEPTHS_A53(ALWAYS) \
    "subs %[n], %[n], #4\n\t" \
    "b.ne 1b\n" \
    "2:\n\t" FOUR_DEPTHS_A53(NEVER)
/* clang-format on */

#endif
