/* Published vectors against ta/trust: reads the lines of vectors.mjs. Prints how many ran and fails if any
 * kind is missing. */
#include "trust_vectors.h"
#include "trust/crypto.h"

#include <string.h>

static struct kind {
    const char *name;
    bool (*run)(const struct trust_line *);
    unsigned least; /* fewer is a failure: the files have this many */
    unsigned count, refused, not_applicable;
} kinds[] = {
    {"gcm", vector_gcm, 67, 0, 0, 0},
    {"x25519", vector_x25519, 518, 0, 0, 0},
    {"ed25519", vector_ed25519, 151, 0, 0, 0},
    {"hmac", vector_hmac, 174, 0, 0, 0},
    {"hkdf", vector_hkdf, 86, 0, 0, 0},
    {"hpke", vector_hpke, 1, 0, 0, 0},
    {"hpke-schedule", vector_hpke_schedule, 1, 0, 0, 0},
    {"cbor", vector_cbor, 82, 0, 0, 0},
    {"cose", vector_cose, 26, 0, 0, 0},
};

static struct kind *kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    fprintf(stderr, "unknown kind of vector: %s\n", name);
    exit(1);
}

int main(void)
{
    struct trust_line line;
    CHECK(sz_crypto_init() == SZ_OK);
    while (trust_next_line(&line)) {
        if (strcmp(line.words[0], "skipped") == 0) {
            puts("skipped: published vectors in C: the folder of vectors is not there");
            return 0;
        }
        if (strcmp(line.words[0], "not-applicable") == 0) {
            CHECK(line.count == 2);
            kind_of(line.words[1])->not_applicable++;
            continue;
        }
        struct kind *const kind = kind_of(line.words[0]);
        kind->count++;
        if (kind->run(&line)) {
            kind->refused++;
        }
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        printf("vectors in C: %s: %u run, %u of them must be refused, %u not applicable\n", kinds[i].name,
               kinds[i].count, kinds[i].refused, kinds[i].not_applicable);
        trust_test_now = kinds[i].name;
        CHECK(kinds[i].count >= kinds[i].least);
    }
    sz_crypto_release();
    return 0;
}
