/* The whole TA behind its entry points, on the software TEE. An input is one command to a device in a state
 * that the input chooses:
 *
 *     byte 0   state, and whether signatures and tags are taken as good
 *     byte 1   command
 *     byte 2   value a
 *     byte 3   reply buffer: 0 the usual, else this many bytes; 255: wrong parameter types
 *     then     the request
 *
 * Whatever comes, the TA must not panic, must stay in its buffers, must still answer, and a refused command
 * must leave the device's state as it was.
 */
#include "fuzz.h"
#include "soft_tee.h"
#include "trust/state.h"

#include <string.h>

enum { UNCLAIMED, CLAIMED, CHANNEL, LOADING, ACTIVE, STREAMING, STATES, CHECKS_PASS = 0x80 };
enum { HEAD = 4, USUAL_REPLY = 32 * 1024, COMMANDS = SZ_CMD_CONTINUE + 2 };

static struct fuzz_model model;
static uint8_t heap[SZ_SOFT_HEAP_SIZE] __attribute__((aligned(64)));
static uint8_t request[FUZZ_MESSAGE];
static void *session;

/* What the device is like now; no state: it must be made again. */
static int state = STATES;
static bool made_with_checks;

struct reply {
    TEE_Result result;
    uint32_t code, b, c, d;
    size_t length;
};

static struct reply invoke(uint32_t command, uint32_t a, uint32_t types, const uint8_t *message,
                           size_t length, size_t capacity)
{
    uint8_t *const in = fuzz_copy(message, length);
    uint8_t *const out = calloc(1, capacity > 0 ? capacity : 1);
    TEE_Param params[TEE_NUM_PARAMS] = {0};
    struct reply reply;
    params[0].memref.buffer = in;
    params[0].memref.size = length;
    params[1].memref.buffer = out;
    params[1].memref.size = capacity;
    params[2].value.a = a;
    reply.result = TA_InvokeCommandEntryPoint(session, command, types, params);
    reply.code = params[2].value.a;
    reply.b = params[2].value.b;
    reply.c = params[3].value.a;
    reply.d = params[3].value.b;
    reply.length = params[1].memref.size;
    FUZZ_CHECK(reply.result != TEE_SUCCESS || reply.length <= capacity);
    free(in);
    free(out);
    return reply;
}

static const uint32_t right_types = TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_OUTPUT,
                                                    TEE_PARAM_TYPE_VALUE_INOUT, TEE_PARAM_TYPE_VALUE_OUTPUT);

static struct reply ping(void)
{
    const struct reply reply = invoke(SZ_CMD_PING, 0, right_types, NULL, 0, 0);
    FUZZ_CHECK(reply.result == TEE_SUCCESS && reply.code == SZ_OK);
    return reply;
}

static void must(uint32_t command, uint32_t a, const uint8_t *message, size_t length)
{
    const struct reply reply = invoke(command, a, right_types, message, length, USUAL_REPLY);
    if (reply.result != TEE_SUCCESS || reply.code != SZ_OK) {
        fprintf(stderr, "setting up: command %u gave %u\n", command, reply.code);
        abort();
    }
}

void fuzz_ta_start(void)
{
    static bool started;
    struct sz_soft_tee_config config;
    TEE_Param none[TEE_NUM_PARAMS] = {0};
    if (started) {
        TA_CloseSessionEntryPoint(session);
        TA_DestroyEntryPoint();
    }
    sz_storage_in_memory_clear();
    sz_soft_tee_defaults(&config);
    config.heap = heap;
    config.heap_size = sizeof heap;
    FUZZ_CHECK(sz_soft_tee_start(&config) == TEE_SUCCESS);
    fuzz_random_restart();
    FUZZ_CHECK(TA_CreateEntryPoint() == TEE_SUCCESS);
    FUZZ_CHECK(TA_OpenSessionEntryPoint(0, none, &session) == TEE_SUCCESS);
    started = true;
}

static void begin_model(void)
{
    must(SZ_CMD_MODEL_BEGIN, 0, request, fuzz_model_begin(request, &model, 1));
    must(SZ_CMD_MODEL_SEGMENT, 0, model.segments[0], model.lengths[0]);
}

/* The model gives up all that it can stream, and a frame waits for its first segment. */
static void begin_streaming(void)
{
    struct reply reply;
    while (sz_model_give_way()) {
    }
    reply = invoke(SZ_CMD_FRAME, 0, right_types, request, fuzz_frame(request, 2), USUAL_REPLY);
    FUZZ_CHECK(reply.result == TEE_SUCCESS && reply.code == SZ_SEGMENTS_WANTED && reply.b == 1);
}

/* A device in this state, always the same one. */
static void make_device(int wanted)
{
    fuzz_ta_start();
    if (wanted >= CLAIMED) {
        must(SZ_CMD_OWNER, 0, request, fuzz_claim(request));
        must(SZ_CMD_ROSTER, 0, request, fuzz_roster(request, 1));
    }
    if (wanted >= CHANNEL) {
        must(SZ_CMD_OFFER, 0, request, fuzz_offer(request, 1));
        must(SZ_CMD_RULES_HELLO, 0, request, fuzz_rules_hello(request, 1));
    }
    if (wanted >= LOADING) {
        begin_model();
    }
    if (wanted >= ACTIVE) {
        for (uint32_t i = 1; i < FUZZ_SEGMENTS; i++) {
            must(SZ_CMD_MODEL_SEGMENT, i, model.segments[i], model.lengths[i]);
        }
        must(SZ_CMD_FRAME, 0, request, fuzz_frame(request, 1));
    }
    if (wanted == STREAMING) {
        begin_streaming();
    }
    state = wanted;
    made_with_checks = !fuzz_checks_pass;
}

static void remake_model(void)
{
    fuzz_model_free(&model);
    fuzz_model_make(&model);
}

/* A seed must be what it is meant to be: the device answers it with this code. */
static void seed(int wanted, uint32_t command, uint32_t a, const uint8_t *message, size_t length,
                 enum sz_code expected)
{
    const uint8_t head[HEAD] = {(uint8_t)(wanted | (fuzz_checks_pass ? CHECKS_PASS : 0)), (uint8_t)command,
                                (uint8_t)a};
    const struct reply reply = invoke(command, a, right_types, message, length, USUAL_REPLY);
    if (reply.result != TEE_SUCCESS || reply.code != (uint32_t)expected) {
        fprintf(stderr, "seed for command %u in state %d gave %u\n", command, wanted, reply.code);
        abort();
    }
    fuzz_seed(head, HEAD, message, length);
    make_device(wanted);
}

/* Every command that the device takes in this state. */
static void seed_state(int wanted)
{
    static const uint8_t counters[] = "\xa1\x64"
                                      "lost\x00";
    make_device(wanted);
    seed(wanted, SZ_CMD_EVIDENCE, 0, (const uint8_t *)"a nonce...", 10, SZ_OK);
    seed(wanted, SZ_CMD_HELLO, 0, NULL, 0, SZ_OK);
    if (wanted == UNCLAIMED) {
        seed(wanted, SZ_CMD_OWNER, 0, request, fuzz_claim(request), SZ_OK);
        return;
    }
    seed(wanted, SZ_CMD_OWNER, 0, request, fuzz_reset(request), SZ_OK);
    seed(wanted, SZ_CMD_ROSTER, 0, request, fuzz_roster(request, 2), SZ_OK);
    seed(wanted, SZ_CMD_OFFER, 0, request, fuzz_offer(request, 2), SZ_OK);
    seed(wanted, SZ_CMD_ZONE_OFFER, 0, request, fuzz_zone_offer(request, 2), SZ_OK);
    seed(wanted, SZ_CMD_RULES_HELLO, 0, request, fuzz_rules_hello(request, 2), SZ_OK);
    seed(wanted, SZ_CMD_MODEL_BEGIN, 0, request, fuzz_model_begin(request, &model, 2), SZ_OK);
    seed(wanted, SZ_CMD_TELEMETRY, 0, counters, sizeof counters - 1, SZ_OK);
    if (wanted >= CHANNEL) {
        seed(wanted, SZ_CMD_RECEIPT, 0, (const uint8_t *)"channel\x01", 8, SZ_OK);
        seed(wanted, SZ_CMD_FRAME, 0, request, fuzz_frame(request, 1),
             wanted >= ACTIVE ? SZ_OK : SZ_NO_MODEL);
    }
    if (wanted == LOADING) {
        seed(wanted, SZ_CMD_MODEL_SEGMENT, 1, model.segments[1], model.lengths[1], SZ_OK);
    }
    if (wanted == ACTIVE) {
        seed(wanted, SZ_CMD_FRAME, 0, request, fuzz_frame(request, 2), SZ_OK);
    }
    if (wanted == STREAMING) {
        seed(wanted, SZ_CMD_FRAME, 0, request, fuzz_frame(request, 2), SZ_SEGMENTS_WANTED);
        seed(wanted, SZ_CMD_CONTINUE, 1, model.segments[1], model.lengths[1],
             FUZZ_SEGMENTS > 3 ? SZ_SEGMENTS_WANTED : SZ_OK);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_ta_start();
    fuzz_parties_make();
    for (int pass = 0; pass < 2; pass++) {
        fuzz_checks_pass = pass == 1;
        remake_model();
        for (int wanted = 0; wanted < STATES; wanted++) {
            seed_state(wanted);
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
        return state == STREAMING || code == SZ_OK || code == SZ_BAD_FRAME || code == SZ_INFERENCE_FAILED;
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
    struct reply reply, before, after;
    int wanted;
    if (length < HEAD) {
        return 0;
    }
    wanted = (data[0] & ~CHECKS_PASS) % STATES;
    command = data[1] % COMMANDS;
    if (fuzz_checks_pass != ((data[0] & CHECKS_PASS) != 0)) {
        fuzz_checks_pass = !fuzz_checks_pass;
        remake_model();
    }
    if (state != wanted || made_with_checks == fuzz_checks_pass) {
        make_device(wanted);
    }
    before = ping();
    reply = invoke(command, data[2], data[3] == 0xff ? 0x1111u : right_types, data + HEAD, length - HEAD,
                   data[3] == 0 || data[3] == 0xff ? USUAL_REPLY : data[3]);
    after = ping();
    if (reply.result != TEE_SUCCESS) {
        FUZZ_CHECK(after.b == before.b && after.c == before.c && after.d == before.d);
        return 0;
    }
    FUZZ_CHECK(reply.code != SZ_CRYPTO_FAILED && reply.code != SZ_STORAGE_FAILED);
    if (changes(command, reply.code)) {
        state = STATES;
    } else {
        FUZZ_CHECK(after.b == before.b && after.c == before.c && after.d == before.d);
    }
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned random)
{
    return fuzz_mutate(data, size, most, random, HEAD);
}
