/* Each item of each message's payload altered in each of a few ways, and signed, sealed and sent all the
 * same: what a member may say that has gone wrong. The checks are those of fuzz_messages.c. */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>

static unsigned long altered;

static void alter(const uint8_t *input, size_t length)
{
    static uint8_t out[FUZZ_MESSAGE];
    size_t size = 0;
    out[0] = input[0];
    (void)LLVMFuzzerTestOneInput(input, length);
    for (unsigned item = 0; size != SIZE_MAX; item++) {
        for (unsigned way = 0;; way++) {
            size = fuzz_altered(input + 1, length - 1, item, way, out + 1, sizeof out - 1);
            if (size == SIZE_MAX) {
                size = way > 0 ? 0 : SIZE_MAX;
                break;
            }
            if (size > 0) {
                altered++;
                (void)LLVMFuzzerTestOneInput(out, 1 + size);
            }
        }
    }
}

static void alter_file(const char *folder, const char *name)
{
    static uint8_t bytes[FUZZ_MESSAGE];
    char path[512];
    size_t length;
    FILE *file;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    FUZZ_CHECK(file != NULL);
    length = fread(bytes, 1, sizeof bytes, file);
    FUZZ_CHECK(fclose(file) == 0 && remove(path) == 0);
    fuzz_now = name;
    alter(bytes, length);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/alterations-XXXXXX";
    DIR *seeds;
    FUZZ_CHECK(mkdtemp(folder) != NULL && setenv("FUZZ_SEEDS", folder, 1) == 0);
    (void)LLVMFuzzerInitialize(&argc, &argv);
    seeds = opendir(folder);
    FUZZ_CHECK(seeds != NULL);
    for (const struct dirent *entry; (entry = readdir(seeds)) != NULL;) {
        if (entry->d_name[0] != '.') {
            alter_file(folder, entry->d_name);
        }
    }
    closedir(seeds);
    (void)remove(folder);
    fuzz_ta_stop();
    fuzz_model_free(&fuzz_sample);
    FUZZ_CHECK(altered > 1000);
    printf("%lu altered messages: ok\n", altered);
    return 0;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    (void)data;
    (void)max_size;
    return size;
}
