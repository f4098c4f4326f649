/* Requests of a form that no command takes, and requests that come a second time. */
#include "fuzz.h"
#include "trust/cose_sign1.h"
#include "trust/state.h"
#include "trust/trial.h"

#include <string.h>
#include <tee_internal_api.h>

static uint8_t message[2 * FUZZ_MESSAGE];

static TEE_Result invoke(void *in, size_t in_size, void *out, size_t out_size)
{
    TEE_Param params[TEE_NUM_PARAMS] = {0};
    params[0].memref.buffer = in;
    params[0].memref.size = in_size;
    params[1].memref.buffer = out;
    params[1].memref.size = out_size;
    return TA_InvokeCommandEntryPoint(NULL, SZ_CMD_HELLO, fuzz_right_types(), params);
}

/* Linux chooses pointers and sizes. */
static void parameters(void)
{
    static uint8_t buffer[SZ_BUFFER_IN + 1];
    TEE_Param params[TEE_NUM_PARAMS] = {0};
    void *session;
    fuzz_now = "parameters";
    fuzz_device_make(FUZZ_CLAIMED);
    FUZZ_CHECK(invoke(NULL, 1, buffer, 64) == TEE_ERROR_BAD_PARAMETERS);
    FUZZ_CHECK(invoke(buffer, 1, NULL, 64) == TEE_ERROR_BAD_PARAMETERS);
    FUZZ_CHECK(invoke(buffer, sizeof buffer, buffer, 64) == TEE_ERROR_BAD_PARAMETERS);
    FUZZ_CHECK(TA_OpenSessionEntryPoint(fuzz_right_types(), params, &session) == TEE_ERROR_BAD_PARAMETERS);
    FUZZ_CHECK(fuzz_invoke(SZ_CMD_HELLO, 0, 0, NULL, 0, 64).result == TEE_ERROR_BAD_PARAMETERS);
    FUZZ_CHECK(fuzz_command(0, 0, NULL, 0).result == TEE_ERROR_NOT_SUPPORTED);
    FUZZ_CHECK(fuzz_command(SZ_CMD_HELLO, 0, buffer, 1).code == SZ_TOO_LONG);
}

static uint32_t code(uint32_t command, size_t length)
{
    const struct fuzz_reply reply = fuzz_command(command, 0, message, length);
    FUZZ_CHECK(reply.result == TEE_SUCCESS);
    return reply.code;
}

static void lengths(void)
{
    fuzz_now = "lengths";
    fuzz_device_make(FUZZ_ACTIVE);
    memset(message, 'x', 128);
    FUZZ_CHECK(code(SZ_CMD_EVIDENCE, 7) == SZ_BAD_REQUEST && code(SZ_CMD_EVIDENCE, 65) == SZ_TOO_LONG);
    FUZZ_CHECK(code(SZ_CMD_EVIDENCE, 8) == SZ_OK && code(SZ_CMD_EVIDENCE, 64) == SZ_OK);
    FUZZ_CHECK(code(SZ_CMD_MODEL_BEGIN, 9) == SZ_TRUNCATED);
    memcpy(message, "\xa2\x61\x61\x61\x62\x61\x63\x01", 8); /* {"a": "b", "c": 1}: numbers only */
    FUZZ_CHECK(code(SZ_CMD_TELEMETRY, 8) == SZ_BAD_REQUEST);
    FUZZ_CHECK(code(SZ_CMD_RECEIPT, 7) == SZ_BAD_REQUEST && code(SZ_CMD_RECEIPT, 8) == SZ_NO_CHANNEL);
    FUZZ_CHECK(fuzz_invoke(SZ_CMD_OWNER, 0, fuzz_right_types(), message, fuzz_reset(message), 200).code ==
               SZ_BUFFER_TOO_SMALL);
    FUZZ_CHECK(fuzz_invoke(SZ_CMD_FRAME, 0, fuzz_right_types(), message, fuzz_frame(message, 2), 200).code ==
               SZ_BUFFER_TOO_SMALL);
    FUZZ_CHECK(code(SZ_CMD_FRAME, fuzz_frame(message, 2)) == SZ_OK); /* its number is still free */
}

/* Retained messages come again on every reconnect. */
static void again(uint32_t command, size_t (*make)(uint8_t *out, uint64_t counter))
{
    size_t length;
    fuzz_device_make(FUZZ_ACTIVE);
    length = make(message, 3);
    FUZZ_CHECK(code(command, length) == SZ_OK && code(command, length) == SZ_OK);
    if (command != SZ_CMD_RULES_HELLO) { /* another one under the same counter: an offer is never the same */
        FUZZ_CHECK(code(command, make(message, 3)) == SZ_STALE_COUNTER);
    }
    FUZZ_CHECK(code(command, make(message, 2)) == SZ_STALE_COUNTER);
    FUZZ_CHECK(code(command, make(message, 4)) == SZ_OK);
}

/* A roster with one byte other than it is where these bytes come last. */
static size_t other_roster(uint64_t version, const void *where, size_t size)
{
    static uint8_t payload[FUZZ_PAYLOAD];
    struct sz_sign1 read;
    const size_t length = fuzz_roster(message, version);
    size_t at;
    FUZZ_CHECK(sz_sign1_read(SZ_BYTES(message, length), &read) == SZ_OK);
    memcpy(payload, read.payload.at, read.payload.length);
    at = read.payload.length - size;
    while (memcmp(payload + at, where, size) != 0) {
        FUZZ_CHECK(at > 0);
        at--;
    }
    payload[at] ^= 1;
    return fuzz_signed(message, &fuzz_owner, "roster", payload, read.payload.length);
}

static void rosters(void)
{
    fuzz_now = "rosters";
    fuzz_device_make(FUZZ_ACTIVE);
    FUZZ_CHECK(code(SZ_CMD_ROSTER, fuzz_roster(message, 3)) == SZ_OK);
    FUZZ_CHECK(code(SZ_CMD_ROSTER, fuzz_roster(message, 3)) == SZ_OK);
    FUZZ_CHECK(code(SZ_CMD_ROSTER, other_roster(3, "porch", 5)) == SZ_ROSTER_CONFLICT);
    FUZZ_CHECK(code(SZ_CMD_ROSTER, fuzz_roster(message, 2)) == SZ_STALE_ROSTER);
    FUZZ_CHECK(code(SZ_CMD_ROSTER, fuzz_roster(message, 4)) == SZ_OK);
    FUZZ_CHECK(code(SZ_CMD_ZONE_OFFER, fuzz_zone_offer(message, 4)) == SZ_OK);
    FUZZ_CHECK(code(SZ_CMD_ROSTER, fuzz_succession(message, 2)) == SZ_OK); /* later owners: any version */
    FUZZ_CHECK(code(SZ_CMD_ROSTER, fuzz_roster(message, 1)) == SZ_STALE_ROSTER);
    fuzz_device_make(FUZZ_ROTATING); /* a zone of which neither the present nor the next keys are */
    FUZZ_CHECK(code(SZ_CMD_ROSTER, other_roster(3, sz_state()->signing.kid, SZ_KID_SIZE)) == SZ_OK);
    FUZZ_CHECK(code(SZ_CMD_ZONE_OFFER, fuzz_zone_offer(message, 4)) == SZ_NOT_IN_ZONE);
}

static void owners(void)
{
    fuzz_now = "owners";
    fuzz_device_make(FUZZ_UNCLAIMED);
    FUZZ_CHECK(code(SZ_CMD_ROSTER, fuzz_roster(message, 1)) == SZ_NOT_CLAIMED);
    FUZZ_CHECK(code(SZ_CMD_OWNER, fuzz_reset(message)) == SZ_NOT_CLAIMED);
    fuzz_device_make(FUZZ_CLAIMED);
    FUZZ_CHECK(code(SZ_CMD_OWNER, fuzz_claim(message)) == SZ_ALREADY_CLAIMED);
    FUZZ_CHECK(code(SZ_CMD_OWNER, fuzz_rollback(message)) == SZ_MODEL_UNKNOWN);
    FUZZ_CHECK(code(SZ_CMD_ROSTER, fuzz_succession(message, 2)) == SZ_OK);
    FUZZ_CHECK(code(SZ_CMD_ROSTER, fuzz_succession(message, 3)) == SZ_OK);
}

/* A number that was answered: the same frame gets its label, another one under it does not. */
static void repeats(void)
{
    static const uint8_t other[] = {0xa0};
    fuzz_now = "repeats";
    fuzz_device_make(FUZZ_ACTIVE);
    FUZZ_CHECK(code(SZ_CMD_FRAME, fuzz_frame(message, 1)) == SZ_OK);
    FUZZ_CHECK(fuzz_invoke(SZ_CMD_FRAME, 0, fuzz_right_types(), message, fuzz_frame(message, 1), 64).code ==
               SZ_BUFFER_TOO_SMALL);
    FUZZ_CHECK(code(SZ_CMD_FRAME, fuzz_frame_record(message, 1, other, sizeof other)) == SZ_STALE_NUMBER);
    FUZZ_CHECK(code(SZ_CMD_FRAME, fuzz_frame_record(message, 2, other, sizeof other)) == SZ_BAD_FRAME);
    FUZZ_CHECK(code(SZ_CMD_FRAME, fuzz_frame(message, 2)) == SZ_STALE_NUMBER);
    FUZZ_CHECK(code(SZ_CMD_OFFER, fuzz_offer(message, 2)) == SZ_OK);
    FUZZ_CHECK(code(SZ_CMD_OFFER, fuzz_offer(message, 258)) == SZ_MALFORMED); /* the id of counter 2 */
}

static uint32_t load(uint64_t sequence)
{
    uint32_t status = code(SZ_CMD_MODEL_BEGIN, fuzz_model_begin(message, &fuzz_sample, sequence));
    for (uint32_t i = 0; i < FUZZ_SEGMENTS && status == SZ_OK; i++) {
        status = fuzz_command(SZ_CMD_MODEL_SEGMENT, i, fuzz_sample.segments[i], fuzz_sample.lengths[i]).code;
    }
    return status;
}

static void models(void)
{
    fuzz_now = "models";
    fuzz_device_make(FUZZ_CHANNEL);
    FUZZ_CHECK(code(SZ_CMD_MODEL_BEGIN, fuzz_model_begin_committed(message, &fuzz_sample, 1)) ==
               SZ_MODEL_UNKNOWN);
    fuzz_device_make(FUZZ_SECOND_START);
    FUZZ_CHECK(code(SZ_CMD_MODEL_BEGIN, fuzz_model_begin_committed(message, &fuzz_sample, 9)) ==
               SZ_MODEL_UNKNOWN);
    for (int i = 0; i < 2; i++) { /* one start, however often it is begun */
        FUZZ_CHECK(code(SZ_CMD_MODEL_BEGIN, fuzz_model_begin_committed(message, &fuzz_sample, 2)) == SZ_OK);
    }
    FUZZ_CHECK(sz_state()->trial_attempts == 2);
    fuzz_device_make(FUZZ_TRIAL);
    FUZZ_CHECK(load(2) == SZ_MODEL_SEQUENCE && load(3 + (1 << 16)) == SZ_MODEL_SEQUENCE);
    FUZZ_CHECK(load(3) == SZ_OK); /* from one trial into the next: the way back is the first model */
    FUZZ_CHECK(sz_state()->previous.sequence == 1 && sz_state()->trial_attempts == 1);
    for (uint64_t number = 2; number < 2 + SZ_TRIAL_LABELS; number++) {
        FUZZ_CHECK(code(SZ_CMD_FRAME, fuzz_frame(message, number)) == SZ_OK);
    }
    FUZZ_CHECK(code(SZ_CMD_MODEL_STATUS, 0) == SZ_OK && sz_state()->trial_attempts == 0);
}

int main(void)
{
    fuzz_ta_start();
    fuzz_parties_make();
    fuzz_sample_remake();
    parameters();
    lengths();
    fuzz_now = "again";
    again(SZ_CMD_OFFER, fuzz_offer);
    again(SZ_CMD_ZONE_OFFER, fuzz_zone_offer);
    again(SZ_CMD_RULES_HELLO, fuzz_rules_hello);
    rosters();
    owners();
    repeats();
    models();
    fuzz_ta_stop();
    fuzz_model_free(&fuzz_sample);
    printf("commands: ok\n");
    return 0;
}
