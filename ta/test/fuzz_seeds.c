#include "fuzz.h"

#include <string.h>

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
