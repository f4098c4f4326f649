/* Each command of the TA. An input is one command to a device in a state that the input chooses:
 *
 *     byte 0   state, and whether signatures and tags are taken as good
 *     byte 1   command (FUZZ_ONLY=OFFER: that one whatever the byte says)
 *     byte 2   value a
 *     byte 3   reply buffer: 0 the usual, else this many bytes; 255: wrong parameter types
 *     then     the request
 *
 * Whatever comes, the TA must not panic, must stay in its buffers, must still answer, and a refused command
 * must leave the device's state as it was.
 */
#include "fuzz.h"
#include "soft_tee.h"

#include <string.h>

enum { CHECKS_PASS = 0x80, HEAD = 4 };

/* By number; the first and the last are none of the TA's. */
static const char *const names[] = {"none",       "PING",        "HELLO",         "EVIDENCE", "OWNER",
                                    "ROSTER",     "OFFER",       "RULES_HELLO",   "FRAME",    "RECEIPT",
                                    "TELEMETRY",  "MODEL_BEGIN", "MODEL_SEGMENT", "CONTINUE", "MODEL_STATUS",
                                    "ZONE_OFFER", "unknown"};
enum { COMMANDS = sizeof names / sizeof names[0] };

/* What the device is like now; FUZZ_STATES: it must be made again. */
static enum fuzz_state state = FUZZ_STATES;
static bool made_with_checks;

static void make_device(enum fuzz_state wanted)
{
    fuzz_device_make(wanted);
    state = wanted;
    made_with_checks = !fuzz_checks_pass;
}

/* A seed must be what it is meant to be: the device answers it with this code. */
static void seed(enum fuzz_state wanted, const struct fuzz_request *r)
{
    const uint8_t head[HEAD] = {(uint8_t)(wanted | (fuzz_checks_pass ? CHECKS_PASS : 0)), (uint8_t)r->command,
                                (uint8_t)r->a};
    const struct fuzz_reply reply = fuzz_command(r->command, r->a, r->message, r->length);
    if (reply.result != TEE_SUCCESS || reply.code != (uint32_t)r->expected) {
        fprintf(stderr, "seed for command %u in state %d gave %u\n", r->command, (int)wanted, reply.code);
        abort();
    }
    fuzz_seed(head, HEAD, r->message, r->length);
    make_device(wanted);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    (void)fuzz_form(0, names, COMMANDS); /* a wrong FUZZ_ONLY ends here */
    fuzz_ta_start();
    fuzz_parties_make();
    for (int pass = 0; pass < 2; pass++) {
        fuzz_checks_pass = pass == 1;
        fuzz_sample_remake();
        for (enum fuzz_state wanted = 0; wanted < FUZZ_STATES; wanted++) {
            make_device(wanted);
            fuzz_each_command(wanted, seed);
        }
    }
    return 0;
}

/* Whether a command may have changed what the next input meets. */
static bool changes(uint32_t command, uint32_t code)
{
    const bool form = code >= SZ_BAD_REQUEST && code <= SZ_UNKNOWN_SENDER;
    switch (command) {
    case SZ_CMD_OWNER:
    case SZ_CMD_ROSTER:
    case SZ_CMD_OFFER:
    case SZ_CMD_ZONE_OFFER:
    case SZ_CMD_RULES_HELLO:
        return code == SZ_OK;
    case SZ_CMD_FRAME: /* any frame takes the place of one that waits */
        return state == FUZZ_STREAMING || code == SZ_OK || code == SZ_BAD_FRAME ||
               code == SZ_INFERENCE_FAILED;
    case SZ_CMD_CONTINUE:
        return code != SZ_NO_INFERENCE;
    case SZ_CMD_MODEL_BEGIN:
    case SZ_CMD_MODEL_SEGMENT:
        return !form && code != SZ_MODEL_ORDER && code != SZ_MODEL_UNKNOWN;
    default:
        return false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    uint32_t command;
    struct fuzz_reply reply, before, after;
    enum fuzz_state wanted;
    if (length < HEAD) {
        return 0;
    }
    wanted = (enum fuzz_state)((data[0] & ~CHECKS_PASS) % FUZZ_STATES);
    command = (uint32_t)fuzz_form(data[1], names, COMMANDS);
    if (fuzz_checks_pass != ((data[0] & CHECKS_PASS) != 0)) {
        fuzz_checks_pass = !fuzz_checks_pass;
        fuzz_sample_remake();
    }
    if (state != wanted || made_with_checks == fuzz_checks_pass) {
        make_device(wanted);
    }
    before = fuzz_ping();
    reply = fuzz_invoke(command, data[2], data[3] == 0xff ? 0x1111u : fuzz_right_types(), data + HEAD,
                        length - HEAD, data[3] == 0 || data[3] == 0xff ? FUZZ_USUAL_REPLY : data[3]);
    after = fuzz_ping();
    if (reply.result != TEE_SUCCESS) {
        FUZZ_CHECK(after.b == before.b && after.c == before.c && after.d == before.d);
        return 0;
    }
    FUZZ_CHECK(reply.code != SZ_CRYPTO_FAILED && reply.code != SZ_STORAGE_FAILED);
    if (changes(command, reply.code)) {
        state = FUZZ_STATES;
    } else {
        FUZZ_CHECK(after.b == before.b && after.c == before.c && after.d == before.d);
    }
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned random)
{
    return fuzz_mutate(data, size, most, random, HEAD);
}
