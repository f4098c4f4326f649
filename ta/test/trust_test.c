#include "trust_test.h"

#include <string.h>

const char *trust_test_now = "start";

enum { LINE_SIZE = 1 << 20, HELD = 16 };

static char text[LINE_SIZE];
static uint8_t *held[HELD];
static size_t held_count;

uint8_t *trust_copy(const void *bytes, size_t length)
{
    uint8_t *const copy = malloc(length > 0 ? length : 1);
    CHECK(copy != NULL);
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
    return copy;
}

bool trust_same(struct sz_bytes a, struct sz_bytes b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

bool trust_next_line(struct trust_line *line)
{
    char *rest = text;
    while (held_count > 0) {
        free(held[--held_count]);
    }
    if (fgets(text, sizeof text, stdin) == NULL) {
        return false;
    }
    CHECK(strchr(text, '\n') != NULL);
    *strchr(text, '\n') = '\0';
    line->count = 0;
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        CHECK(line->count < sizeof line->words / sizeof line->words[0]);
        line->words[line->count++] = word;
    }
    trust_test_now = line->words[0];
    return true;
}

static unsigned digit(char c)
{
    const char *const digits = "0123456789abcdef";
    const char *const at = c != '\0' ? strchr(digits, c) : NULL;
    CHECK(at != NULL);
    return (unsigned)(at - digits);
}

struct sz_bytes trust_hex(const struct trust_line *line, size_t word)
{
    CHECK(word < line->count && held_count < HELD);
    const char *const hex = line->words[word];
    const size_t length = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    uint8_t *const bytes = malloc(length > 0 ? length : 1);
    CHECK(bytes != NULL && (length == 0 || strlen(hex) == 2 * length));
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    }
    held[held_count++] = bytes;
    return SZ_BYTES(bytes, length);
}
