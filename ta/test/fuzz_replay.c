/* Runs a fuzz target on files, without libFuzzer: the corpus as a test of its own, and for coverage.
 * Usage: fuzz_replay_TARGET FILE... */
#include "fuzz.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    (void)data;
    (void)max_size;
    return size;
}

static void run(const char *path)
{
    FILE *const file = fopen(path, "rb");
    static uint8_t bytes[1 << 20];
    size_t length;
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    length = fread(bytes, 1, sizeof bytes, file);
    FUZZ_CHECK(length < sizeof bytes && fclose(file) == 0);
    fuzz_now = path;
    (void)LLVMFuzzerTestOneInput(bytes, length);
}

int main(int argc, char **argv)
{
    (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        run(argv[i]);
    }
    fuzz_ta_stop();
    printf("%d inputs: ok\n", argc - 1);
    return 0;
}
