#include "fuzz.h"

#include <string.h>

const char *fuzz_now = "input";

uint8_t *fuzz_copy(const uint8_t *data, size_t length)
{
    uint8_t *const copy = malloc(length > 0 ? length : 1);
    FUZZ_CHECK(copy != NULL);
    if (length > 0) {
        memcpy(copy, data, length);
    }
    return copy;
}

void fuzz_seed(const uint8_t *head, size_t head_length, const uint8_t *data, size_t length)
{
    static unsigned count;
    const char *const folder = getenv("FUZZ_SEEDS");
    char path[512];
    FILE *file;
    if (folder == NULL) {
        return;
    }
    snprintf(path, sizeof path, "%s/seed-%03u", folder, count++);
    file = fopen(path, "wb");
    FUZZ_CHECK(file != NULL);
    FUZZ_CHECK(fwrite(head, 1, head_length, file) == head_length);
    FUZZ_CHECK(fwrite(data, 1, length, file) == length);
    FUZZ_CHECK(fclose(file) == 0);
}

size_t fuzz_form(uint8_t byte, const char *const *names, size_t count)
{
    static size_t only;
    static bool asked;
    const char *const name = getenv("FUZZ_ONLY");
    if (name == NULL || *name == '\0') {
        return byte % count;
    }
    while (!asked && only < count && strcmp(names[only], name) != 0) {
        only++;
    }
    asked = true;
    if (only == count) {
        fprintf(stderr, "FUZZ_ONLY=%s: this target has", name);
        for (size_t i = 0; i < count; i++) {
            fprintf(stderr, " %s", names[i]);
        }
        fprintf(stderr, "\n");
        exit(64);
    }
    return only;
}

bool fuzz_real(void)
{
    return getenv("FUZZ_REAL") != NULL;
}
