/*
 * The tile of four rows for Cortex-A53 (build with -DSZ_CORTEX_A53): a load of 64 bits issues together with a
 * multiplication there, one of 128 bits or of several registers does not. More instructions, fewer cycles
 * (README.md). Registers as in panels_i8.c, but 0, 2, 4, 6 hold the first eight inputs of each row and 1, 3,
 * 5, 7 the other eight, 8 and 9 or 10 and 11 the weights of one column.
 */
#ifndef SZ_TINYLIB_NEON_PANELS_I8_A53_H
#define SZ_TINYLIB_NEON_PANELS_I8_A53_H

/* clang-format off */
/* No post-index: pointers move once in a step, with the first load of the next. */
#define EIGHT(V, FROM, AT) "ldr d" #V ", [%[" FROM "], #" #AT "]\n\t"
#define MOVE_EIGHT(V, FROM, BY) "ldr d" #V ", [%[" FROM "], #" #BY "]!\n\t"
#define SMLAL_8(T, A, B) "smlal v" #T ".8h, v" #A ".8b, v" #B ".8b\n\t"

/* A column; its registers are loaded again (LOAD_L, LOAD_H) as soon as they have been read. */
#define COLUMN_A53(OP, LOAD_L, LOAD_H, BL, BH, S0, S1, S2, S3) \
    SMULL(12, 0, BL) SMULL(13, 2, BL) SMULL(14, 4, BL) SMULL(15, 6, BL) LOAD_L \
    SMLAL_8(12, 1, BH) SMLAL_8(13, 3, BH) SMLAL_8(14, 5, BH) SMLAL_8(15, 7, BH) LOAD_H \
    SADALP(OP, S0, 12) SADALP(OP, S1, 13) SADALP(OP, S2, 14) SADALP(OP, S3, 15)

/* The last column, behind which the inputs may be loaded again. */
#define LAST_COLUMN_A53(OP, MORE) \
    SMULL(12, 0, 10) SMULL(13, 2, 10) MORE(MOVE_EIGHT(0, "a0", 16)) \
    SMULL(14, 4, 10) MORE(MOVE_EIGHT(2, "a1", 16)) SMULL(15, 6, 10) MORE(MOVE_EIGHT(4, "a2", 16)) \
    SMLAL_8(12, 1, 11) MORE(MOVE_EIGHT(6, "a3", 16)) SMLAL_8(13, 3, 11) MORE(EIGHT(1, "a0", 8)) \
    SMLAL_8(14, 5, 11) MORE(EIGHT(3, "a1", 8)) SMLAL_8(15, 7, 11) MORE(EIGHT(5, "a2", 8)) \
    SADALP(OP, 19, 12) MORE(EIGHT(7, "a3", 8)) SADALP(OP, 23, 13) MORE(EIGHT(10, "b", 16)) \
    SADALP(OP, 27, 14) MORE(EIGHT(11, "b", 24)) SADALP(OP, 31, 15)

#define ALWAYS(LOAD) LOAD
#define NEVER(LOAD)
/* 16 values of the depth. Weights of the third and fourth column are loaded in any case. */
#define STEP_A53(OP, MORE) \
    COLUMN_A53(OP, EIGHT(8, "b", 32), EIGHT(9, "b", 40), 8, 9, 16, 20, 24, 28) \
    COLUMN_A53(OP, EIGHT(10, "b", 48), EIGHT(11, "b", 56), 10, 11, 17, 21, 25, 29) \
    COLUMN_A53(OP, MORE(MOVE_EIGHT(8, "b", 64)), MORE(EIGHT(9, "b", 8)), 8, 9, 18, 22, 26, 30) \
    LAST_COLUMN_A53(OP, MORE)

#define START_A53 \
    EIGHT(0, "a0", 0) EIGHT(8, "b", 0) EIGHT(2, "a1", 0) EIGHT(9, "b", 8) EIGHT(4, "a2", 0) EIGHT(10, "b", 16) \
    EIGHT(6, "a3", 0) EIGHT(11, "b", 24) EIGHT(1, "a0", 8) EIGHT(3, "a1", 8) EIGHT(5, "a2", 8) EIGHT(7, "a3", 8)
#define END_A53 \
    "add %[a0], %[a0], #16\n\t" \
    "add %[a1], %[a1], #16\n\t" \
    "add %[a2], %[a2], #16\n\t" \
    "add %[a3], %[a3], #16\n\t" \
    "add %[b], %[b], #64\n\t"

#define TILE_A53 \
    "subs %[n], %[depth], #16\n\t" \
    "b.lo 4f\n\t" START_A53 \
    "subs %[n], %[n], #16\n\t" \
    "b.lo 3f\n\t" STEP_A53("saddlp", ALWAYS) \
    "subs %[n], %[n], #16\n\t" \
    "b.lo 2f\n" \
    "1:\n\t" STEP_A53("sadalp", ALWAYS) \
    "subs %[n], %[n], #16\n\t" \
    "b.hs 1b\n" \
    "2:\n\t" STEP_A53("sadalp", NEVER) END_A53 \
    "b 6f\n" \
    "3:\n\t" STEP_A53("saddlp", NEVER) END_A53 \
    "b 6f\n" \
    "4:\n\t" STEP_8(4, "saddlp") \
    "b 7f\n" \
    "6:\n\t" \
    "tbz %[n], #3, 7f\n\t" STEP_8(4, "sadalp") \
    "7:\n\t" REDUCE_4
/* clang-format on */

#endif
