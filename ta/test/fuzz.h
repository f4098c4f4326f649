/* What the fuzz targets share (fuzz.mk): deterministic keys, crypto whose checks can be taken as passed, good
 * messages for a device, and seeds.
 *
 * No mutated message gets past a signature or a tag. So that what lies behind them is reached too, a target
 * may declare the cryptographic checks passed: every Ed25519 signature is then good, and AES-GCM neither
 * encrypts nor authenticates. Everything else, hashes and key agreement included, stays real.
 */
#ifndef SZ_FUZZ_H
#define SZ_FUZZ_H

#include "models/model.h"
#include "trust/bytes.h"
#include "trust/cbor_write.h"
#include "trust/kid.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* For what a target relies on: a failure here is a bug of the target or of the TA. */
#define FUZZ_CHECK(condition)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                          \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

extern bool fuzz_checks_pass;

/* Random numbers of the TEE start over: the same keys and nonces again. */
void fuzz_random_restart(void);

/* Bytes in memory of exactly their size, so that the sanitizer sees every read too far. free() it. */
uint8_t *fuzz_copy(const uint8_t *data, size_t length);

/* Adds an input to the corpus: to the folder FUZZ_SEEDS, if set. */
void fuzz_seed(const uint8_t *head, size_t head_length, const uint8_t *data, size_t length);

/* Starts a TA with empty storage: crypto works, the device has an identity and no owner. */
void fuzz_ta_start(void);

struct fuzz_party {
    struct sz_signing_key signing;
    struct sz_agreement_key agreement;
};
extern struct fuzz_party fuzz_owner, fuzz_sensor, fuzz_rules, fuzz_publisher;
void fuzz_parties_make(void);

/* Messages that the running device accepts, made for its present state; their lengths. `out` has FUZZ_MESSAGE
 * bytes. */
enum { FUZZ_MESSAGE = 16 * 1024 };
size_t fuzz_claim(uint8_t *out);
size_t fuzz_reset(uint8_t *out);
size_t fuzz_roster(uint8_t *out, uint64_t version);
size_t fuzz_offer(uint8_t *out, uint64_t counter);
size_t fuzz_zone_offer(uint8_t *out, uint64_t counter);
size_t fuzz_rules_hello(uint8_t *out, uint64_t counter);
size_t fuzz_frame(uint8_t *out, uint64_t number);

/* A small model as its publisher sends it: segments encrypted, 0 the header, then weights, then the golden
 * test. The header's plaintext follows its ciphertext's form. */
enum { FUZZ_SEGMENTS = 4 };
struct fuzz_model {
    uint8_t *segments[FUZZ_SEGMENTS];
    size_t lengths[FUZZ_SEGMENTS];
    uint8_t header[4096]; /* plaintext of segment 0 */
    size_t header_length;
    uint8_t golden[2048]; /* plaintext of the last segment */
    size_t golden_length;
};
void fuzz_model_make(struct fuzz_model *model);
void fuzz_model_free(struct fuzz_model *model);
size_t fuzz_manifest(uint8_t *out, const struct fuzz_model *model, uint64_t sequence);
/* An envelope around these manifest bytes: digest right, signature block of the right form. */
size_t fuzz_envelope(uint8_t *out, const uint8_t *manifest, size_t length);
size_t fuzz_model_begin(uint8_t *out, const struct fuzz_model *model, uint64_t sequence);

/* Mutates an input whose CBOR starts behind `head` bytes; its new size, at most `most`. */
size_t fuzz_mutate(uint8_t *data, size_t size, size_t most, unsigned random, size_t head);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned random);

#endif
