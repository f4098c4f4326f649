/* What the tests of ta/trust share: checks that stop the program, and files of vectors line by line. */
#ifndef TRUST_TEST_H
#define TRUST_TEST_H

#include "sz_codes.h"
#include "trust/bytes.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Stops with the line that failed. */
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, trust_test_now, #condition);      \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

/* What is being tested, for messages. */
extern const char *trust_test_now;

/* A copy in memory of exactly this size, so that the sanitizer sees every byte read beyond it. Freed by the
 * caller. */
uint8_t *trust_copy(const void *bytes, size_t length);

bool trust_same(struct sz_bytes a, struct sz_bytes b);

/* A line of a vector file: words separated by spaces. Byte strings are hexadecimal, "-" is the empty one. */
struct trust_line {
    char *words[16];
    size_t count;
};

/* Reads the next line from standard input into static memory. False at the end. */
bool trust_next_line(struct trust_line *line);

/* The bytes of a word, in memory of exactly their size that lives until the next line. */
struct sz_bytes trust_hex(const struct trust_line *line, size_t word);

#endif
