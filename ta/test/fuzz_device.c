/* The whole TA behind its entry points, on the software TEE, in a state that a test chooses. */
#include "fuzz.h"
#include "soft_tee.h"
#include "trust/trial.h"

#include <string.h>

struct fuzz_model fuzz_sample;

static uint8_t heap[SZ_SOFT_HEAP_SIZE] __attribute__((aligned(64)));
static uint8_t request[2 * FUZZ_MESSAGE];
static void *session;

uint32_t fuzz_right_types(void)
{
    return TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_OUTPUT,
                           TEE_PARAM_TYPE_VALUE_INOUT, TEE_PARAM_TYPE_VALUE_OUTPUT);
}

struct fuzz_reply fuzz_invoke(uint32_t command, uint32_t a, uint32_t types, const uint8_t *message,
                              size_t length, size_t capacity)
{
    uint8_t *const in = fuzz_copy(message, length);
    uint8_t *const out = calloc(1, capacity > 0 ? capacity : 1);
    TEE_Param params[TEE_NUM_PARAMS] = {0};
    struct fuzz_reply reply;
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

struct fuzz_reply fuzz_command(uint32_t command, uint32_t a, const uint8_t *message, size_t length)
{
    return fuzz_invoke(command, a, fuzz_right_types(), message, length, FUZZ_USUAL_REPLY);
}

struct fuzz_reply fuzz_ping(void)
{
    const struct fuzz_reply reply = fuzz_invoke(SZ_CMD_PING, 0, fuzz_right_types(), NULL, 0, 0);
    FUZZ_CHECK(reply.result == TEE_SUCCESS && reply.code == SZ_OK);
    return reply;
}

static void must(uint32_t command, uint32_t a, const uint8_t *message, size_t length)
{
    const struct fuzz_reply reply = fuzz_command(command, a, message, length);
    if (reply.result != TEE_SUCCESS || reply.code != SZ_OK) {
        fprintf(stderr, "setting up: command %u gave %u\n", command, reply.code);
        abort();
    }
}

static bool started;

static void start_ta(void)
{
    TEE_Param none[TEE_NUM_PARAMS] = {0};
    FUZZ_CHECK(TA_CreateEntryPoint() == TEE_SUCCESS);
    FUZZ_CHECK(TA_OpenSessionEntryPoint(0, none, &session) == TEE_SUCCESS);
    started = true;
}

void fuzz_ta_stop(void)
{
    if (started) {
        TA_CloseSessionEntryPoint(session);
        TA_DestroyEntryPoint();
    }
    started = false;
}

void fuzz_tee_start(void)
{
    struct sz_soft_tee_config config;
    fuzz_ta_stop();
    sz_storage_in_memory_clear();
    sz_soft_tee_defaults(&config);
    config.heap = heap;
    config.heap_size = sizeof heap;
    FUZZ_CHECK(sz_soft_tee_start(&config) == TEE_SUCCESS);
    fuzz_random_restart();
}

void fuzz_ta_start(void)
{
    fuzz_tee_start();
    start_ta();
}

void fuzz_ta_restart(void)
{
    fuzz_ta_stop();
    start_ta();
}

/* Begins with this model, and sends so many of its segments. */
static void load(uint64_t sequence, uint32_t segments)
{
    must(SZ_CMD_MODEL_BEGIN, 0, request, fuzz_model_begin(request, &fuzz_sample, sequence));
    for (uint32_t i = 0; i < segments; i++) {
        must(SZ_CMD_MODEL_SEGMENT, i, fuzz_sample.segments[i], fuzz_sample.lengths[i]);
    }
}

static void open_channels(void)
{
    must(SZ_CMD_OFFER, 0, request, fuzz_offer(request, 1));
    must(SZ_CMD_RULES_HELLO, 0, request, fuzz_rules_hello(request, 1));
}

/* The model gives up all that it can stream, and a frame waits for its first segment. */
static void begin_streaming(void)
{
    struct fuzz_reply reply;
    while (sz_model_give_way()) {
    }
    reply = fuzz_command(SZ_CMD_FRAME, 0, request, fuzz_frame(request, 2));
    FUZZ_CHECK(reply.result == TEE_SUCCESS && reply.code == SZ_SEGMENTS_WANTED && reply.b == 1);
}

static void go_through_trial(enum fuzz_state state)
{
    if (state == FUZZ_COUNTED) {
        for (uint64_t number = 2; number < 2 + SZ_TRIAL_GOOD_START; number++) {
            must(SZ_CMD_FRAME, 0, request, fuzz_frame(request, number));
        }
    } else if (state != FUZZ_TRIAL) {
        fuzz_ta_restart();
        for (uint32_t start = 2; state == FUZZ_LAST_START && start <= SZ_TRIAL_ATTEMPTS; start++) {
            must(SZ_CMD_MODEL_BEGIN, 0, request, fuzz_model_begin_committed(request, &fuzz_sample, 2));
            fuzz_ta_restart();
        }
    }
}

void fuzz_device_make(enum fuzz_state state)
{
    fuzz_ta_start();
    if (state == FUZZ_UNCLAIMED) {
        return;
    }
    must(SZ_CMD_OWNER, 0, request, fuzz_claim(request));
    must(SZ_CMD_ROSTER, 0, request, fuzz_roster(request, 1));
    if (state == FUZZ_CLAIMED) {
        return;
    }
    open_channels();
    if (state == FUZZ_CHANNEL) {
        return;
    }
    if (state == FUZZ_LOADING || state == FUZZ_LOADED) {
        load(1, state == FUZZ_LOADING ? 1 : FUZZ_SEGMENTS - 1);
        return;
    }
    load(1, FUZZ_SEGMENTS);
    must(SZ_CMD_FRAME, 0, request, fuzz_frame(request, 1));
    if (state == FUZZ_STREAMING) {
        begin_streaming();
    } else if (state == FUZZ_TRIAL || state >= FUZZ_COUNTED) {
        load(2, FUZZ_SEGMENTS);
        go_through_trial(state);
    } else if (state == FUZZ_RESTARTED) {
        fuzz_ta_restart();
    } else if (state >= FUZZ_ROTATING) {
        must(SZ_CMD_OWNER, 0, request, fuzz_rotate(request));
        if (state == FUZZ_ROTATED) {
            must(SZ_CMD_ROSTER, 0, request, fuzz_roster(request, 2));
        }
    }
}

void fuzz_sample_remake(void)
{
    fuzz_model_free(&fuzz_sample);
    fuzz_model_make(&fuzz_sample);
}

bool fuzz_is_form_error(uint32_t code)
{
    return (code >= SZ_MALFORMED && code <= SZ_UNKNOWN_ALGORITHM) || code == SZ_BAD_REQUEST ||
           code == SZ_BAD_KEY;
}
