/* Commands of the test TA. Parameters as with the product's TA: memref in, memref out, value in and out,
 * value out. */
#ifndef TEST_TA_H
#define TEST_TA_H

enum {
    TEST_EMPTY = 1, /* c: invokes of this instance, d: open sessions */
    TEST_ECHO = 2,  /* out: in; c = a + 1, d = b + 1 */
    TEST_PANIC = 3,
    TEST_HOG = 4,      /* c: KiB that could be allocated */
    TEST_SPIN = 5,     /* never returns */
    TEST_STORE = 6,    /* in: the object's data */
    TEST_LOAD = 7,     /* out: the object's data */
    TEST_WATCH = 8,    /* c: 1 if the first byte of in changed within 5 s */
    TEST_PROPERTY = 9, /* in: name; out: string; c: number */
    TEST_INTRUDE = 10, /* a: which; c: 1 if refused */
    TEST_DEEP = 11,    /* a: KiB of stack */
    TEST_CRYPTO = 13,  /* one of each operation */
    TEST_CRASH = 12,   /* a: address to write to */
};

#endif
