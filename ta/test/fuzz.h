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
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, fuzz_now, #condition);            \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

extern const char *fuzz_now; /* what is being run, for messages */
extern bool fuzz_checks_pass;

/* Random numbers of the TEE start over: the same keys and nonces again. */
void fuzz_random_restart(void);

/* Bytes in memory of exactly their size, so that the sanitizer sees every read too far. free() it. */
uint8_t *fuzz_copy(const uint8_t *data, size_t length);

/* Adds an input to the corpus: to the folder FUZZ_SEEDS, if set. */
void fuzz_seed(const uint8_t *head, size_t head_length, const uint8_t *data, size_t length);

/* Which of a target's forms this input is for: the one that FUZZ_ONLY names, else what the input's byte says.
 */
size_t fuzz_form(uint8_t byte, const char *const *names, size_t count);

/* The inputs are messages of a real run (FUZZ_REAL is set): the parser must take each. */
bool fuzz_real(void);
#define FUZZ_TAKEN(condition) FUZZ_CHECK(!fuzz_real() || (condition))

/* Forms of the targets' inputs: their first byte. New ones go to the end: the corpus has these numbers. */
enum fuzz_cose { FUZZ_SIGN1, FUZZ_DETACHED, FUZZ_ENCRYPT, FUZZ_RECORD, FUZZ_HPKE, FUZZ_COSE_FORMS };
enum fuzz_model_form { FUZZ_ENVELOPE, FUZZ_MANIFEST, FUZZ_HEADER, FUZZ_GOLDEN, FUZZ_GRAPH, FUZZ_MODEL_FORMS };
enum fuzz_message {
    FUZZ_STATEMENT,
    FUZZ_ROSTER,
    FUZZ_OFFER,
    FUZZ_RULES_HELLO,
    FUZZ_FRAME,
    FUZZ_MODEL_OFFER,
    FUZZ_COUNTERS,
    FUZZ_STORED,
    FUZZ_ZONE_OFFER,
    FUZZ_MESSAGE_FORMS
};

/* Not a message of the expected form, as opposed to one whose content is refused. */
bool fuzz_is_form_error(uint32_t code);

/* Starts a TA with empty storage: crypto works, the device has an identity and no owner. */
void fuzz_ta_start(void);
void fuzz_ta_stop(void);
void fuzz_ta_restart(void); /* storage stays */
void fuzz_tee_start(void);  /* the TEE alone, with empty storage */

/* States of a device (fuzz_device.c). The corpus has these numbers. */
enum fuzz_state {
    FUZZ_UNCLAIMED,
    FUZZ_CLAIMED,
    FUZZ_CHANNEL,      /* with a sensor's channel and a rules host */
    FUZZ_LOADING,      /* the header of a model is there */
    FUZZ_ACTIVE,       /* and one frame was answered */
    FUZZ_STREAMING,    /* a frame waits for its first segment */
    FUZZ_TRIAL,        /* a second model is on trial */
    FUZZ_RESTARTED,    /* after FUZZ_ACTIVE: storage stayed, memory did not */
    FUZZ_LOADED,       /* all but the last segment of a model are there */
    FUZZ_ROTATING,     /* as FUZZ_ACTIVE, and there are next keys */
    FUZZ_ROTATED,      /* and a roster has put them in place */
    FUZZ_COUNTED,      /* as FUZZ_TRIAL, with labels that forgive its start */
    FUZZ_SECOND_START, /* FUZZ_TRIAL after a restart: its model is to be loaded */
    FUZZ_LAST_START,   /* and it was never loaded to the end, nor will be */
    FUZZ_STATES
};

/* A device in this state, always the same one; random numbers and checks as they are. */
void fuzz_device_make(enum fuzz_state state);

/* The model of these devices, as the publisher seals it under the present fuzz_checks_pass. */
extern struct fuzz_model fuzz_sample; /* declared below */
void fuzz_sample_remake(void);

struct fuzz_reply {
    uint32_t result; /* TEE_Result */
    uint32_t code, b, c, d;
    size_t length;
};

/* One command, from buffers of exactly their size. */
struct fuzz_reply fuzz_invoke(uint32_t command, uint32_t a, uint32_t types, const uint8_t *message,
                              size_t length, size_t capacity);
struct fuzz_reply fuzz_command(uint32_t command, uint32_t a, const uint8_t *message, size_t length);
struct fuzz_reply fuzz_ping(void);

/* Every command that a device takes in this state, and how it answers (fuzz_commands.c). The visitor leaves
 * the device as it found it. */
struct fuzz_request {
    uint32_t command, a;
    const uint8_t *message;
    size_t length;
    enum sz_code expected;
};
typedef void fuzz_visitor(enum fuzz_state state, const struct fuzz_request *request);
void fuzz_each_command(enum fuzz_state state, fuzz_visitor *visitor);
bool fuzz_has_channel(enum fuzz_state state);
bool fuzz_has_model(enum fuzz_state state);
uint32_t fuzz_right_types(void);
enum { FUZZ_USUAL_REPLY = 32 * 1024 };

struct fuzz_party {
    struct sz_signing_key signing;
    struct sz_agreement_key agreement;
};
extern struct fuzz_party fuzz_owner, fuzz_sensor, fuzz_rules, fuzz_publisher;
void fuzz_parties_make(void);

/* What the messages below keep secret: the channel's, the model's, and what a frame shows. */
enum { FUZZ_PIXELS = 6 * 6 * 3 };
extern const uint8_t fuzz_channel_secret[SZ_KEY_SIZE], fuzz_content_key[SZ_AES_KEY_SIZE],
    fuzz_pixels[FUZZ_PIXELS];

/* Messages that the running device accepts, made for its present state; their lengths. `out` has FUZZ_MESSAGE
 * bytes. */
enum { FUZZ_MESSAGE = 16 * 1024 };
size_t fuzz_claim(uint8_t *out);
size_t fuzz_reset(uint8_t *out);
size_t fuzz_rollback(uint8_t *out);
size_t fuzz_rebase(uint8_t *out);
size_t fuzz_rotate(uint8_t *out);
size_t fuzz_roster(uint8_t *out, uint64_t version);
/* One whose owner also replaces its own set of keys. */
size_t fuzz_succession(uint8_t *out, uint64_t version);
size_t fuzz_offer(uint8_t *out, uint64_t counter);
size_t fuzz_zone_offer(uint8_t *out, uint64_t counter);
size_t fuzz_zone_payload(uint8_t *out, uint64_t counter);
size_t fuzz_rules_hello(uint8_t *out, uint64_t counter);
size_t fuzz_frame(uint8_t *out, uint64_t number);

/* Any payload as its sender would wrap it: signed, sealed, as a record. At most FUZZ_PAYLOAD bytes. */
enum { FUZZ_PAYLOAD = FUZZ_MESSAGE / 2 };
size_t fuzz_signed(uint8_t *out, const struct fuzz_party *party, const char *purpose, const uint8_t *payload,
                   size_t length);
size_t fuzz_offer_plaintext(uint8_t *out, uint64_t counter);
size_t fuzz_frame_plaintext(uint8_t *out);
size_t fuzz_sealed_offer(uint8_t *out, const uint8_t *plaintext, size_t length);
size_t fuzz_frame_record(uint8_t *out, uint64_t number, const uint8_t *plaintext, size_t length);

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
/* The same with this payload in place of the model offer's, or without an offer. */
size_t fuzz_model_begin_with(uint8_t *out, const struct fuzz_model *model, uint64_t sequence,
                             const uint8_t *payload, size_t length);
size_t fuzz_model_begin_committed(uint8_t *out, const struct fuzz_model *model, uint64_t sequence);
/* The payload of the model's offer. */
size_t fuzz_model_offer(uint8_t *out, const struct fuzz_model *model, uint64_t sequence);

/* The model's header with another graph. */
size_t fuzz_header_with(uint8_t *out, const struct fuzz_model *model, const uint8_t *graph, size_t length);

/* Mutates an input whose CBOR starts behind `head` bytes; its new size, at most `most`. */
size_t fuzz_mutate(uint8_t *data, size_t size, size_t most, unsigned random, size_t head);

/* Alters this item of the CBOR in data, in this way (0 ..): the new length, 0 where it cannot be altered so,
 * SIZE_MAX where there is no such item or way. */
size_t fuzz_altered(const uint8_t *data, size_t size, unsigned item, unsigned way, uint8_t *out, size_t most);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned random);

#endif
