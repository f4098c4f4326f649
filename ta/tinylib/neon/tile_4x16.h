/*
 * Assembly of a tile of up to 4 rows times 16 (or 8) columns, whose inputs are multiplied by element:
 * register R (0..3) holds four 32-bit groups of row R's inputs, 4..7 and 8..11 the weights of the even and
 * odd groups, 16 + 4 * row + column / 4 sums.
 *
 * MULTIPLY(S, B, A, K) and INPUTS(R) come from the file that includes this.
 */
#ifndef SZ_TINYLIB_NEON_TILE_4X16_H
#define SZ_TINYLIB_NEON_TILE_4X16_H

#define ROW_16(A, K, B0, B1, B2, B3, S0, S1, S2, S3)                                                         \
    MULTIPLY(S0, B0, A, K) MULTIPLY(S1, B1, A, K) MULTIPLY(S2, B2, A, K) MULTIPLY(S3, B3, A, K)
#define ROW_8(A, K, B0, B1, B2, B3, S0, S1, S2, S3) MULTIPLY(S0, B0, A, K) MULTIPLY(S1, B1, A, K)

/* One group of the depth, for one to four rows. */
#define GROUP_1(R, K, B0, B1, B2, B3) R(0, K, B0, B1, B2, B3, 16, 17, 18, 19)
#define GROUP_2(R, K, B0, B1, B2, B3) GROUP_1(R, K, B0, B1, B2, B3) R(1, K, B0, B1, B2, B3, 20, 21, 22, 23)
#define GROUP_3(R, K, B0, B1, B2, B3) GROUP_2(R, K, B0, B1, B2, B3) R(2, K, B0, B1, B2, B3, 24, 25, 26, 27)
#define GROUP_4(R, K, B0, B1, B2, B3) GROUP_3(R, K, B0, B1, B2, B3) R(3, K, B0, B1, B2, B3, 28, 29, 30, 31)

#define EACH_1(DO) DO(0, 16, 17, 18, 19)
#define EACH_2(DO) EACH_1(DO) DO(1, 20, 21, 22, 23)
#define EACH_3(DO) EACH_2(DO) DO(2, 24, 25, 26, 27)
#define EACH_4(DO) EACH_3(DO) DO(3, 28, 29, 30, 31)

#define LOAD_A(R, S0, S1, S2, S3) INPUTS(R)
#define BIAS_16(R, S0, S1, S2, S3) "ld1 {v" #S0 ".4s, v" #S1 ".4s, v" #S2 ".4s, v" #S3 ".4s}, [%[bias]]\n\t"
#define BIAS_8(R, S0, S1, S2, S3) "ld1 {v" #S0 ".4s, v" #S1 ".4s}, [%[bias]]\n\t"
#define LOAD_B_16(B0, B1, B2, B3)                                                                            \
    "ld1 {v" #B0 ".4s, v" #B1 ".4s, v" #B2 ".4s, v" #B3 ".4s}, [%[b]], %[step]\n\t"
#define LOAD_B_8(B0, B1, B2, B3) "ld1 {v" #B0 ".4s, v" #B1 ".4s}, [%[b]], %[step]\n\t"

/* Four groups; %[n] counts them down, the flags are set by it. */
#define FOUR_GROUPS(N, WIDTH)                                                                                \
    LOAD_B_##WIDTH(4, 5, 6, 7) EACH_##N(LOAD_A) LOAD_B_##WIDTH(8, 9, 10, 11)                                 \
        GROUP_##N(ROW_##WIDTH, 0, 4, 5, 6, 7) LOAD_B_##WIDTH(4, 5, 6, 7)                                     \
            GROUP_##N(ROW_##WIDTH, 1, 8, 9, 10, 11) LOAD_B_##WIDTH(8, 9, 10, 11)                             \
                GROUP_##N(ROW_##WIDTH, 2, 4, 5, 6, 7) "subs %[n], %[n], #4\n\t" GROUP_##N(ROW_##WIDTH, 3, 8, \
                                                                                          9, 10, 11)

#endif
