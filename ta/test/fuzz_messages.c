/* What is inside signatures and seals: each message's own parser, and what the TA does with what it read.
 * The first byte of an input chooses the message, the rest is its payload, which is wrapped as its sender
 * would wrap it; signatures and tags are taken as good. */
#include "fuzz.h"
#include "sz_codes.h"
#include "trust/cose_sign1.h"
#include "trust/state.h"

#include <string.h>

static const char *const names[FUZZ_MESSAGE_FORMS] = {"statement",   "roster", "offer",
                                                      "rules-hello", "frame",  "model-offer",
                                                      "counters",    "stored", "zone-offer"};

static uint8_t message[2 * FUZZ_MESSAGE];
static bool as_made; /* the device is as fuzz_device_make(FUZZ_ACTIVE) left it */

static void make_device(void)
{
    fuzz_device_make(FUZZ_ACTIVE);
    as_made = true;
}

/* The payload of a signed message. */
static void seed(enum fuzz_message form, const uint8_t *signed_message, size_t length)
{
    const uint8_t head = (uint8_t)form;
    struct sz_sign1 read;
    FUZZ_CHECK(sz_sign1_read(SZ_BYTES(signed_message, length), &read) == SZ_OK);
    fuzz_seed(&head, 1, read.payload.at, read.payload.length);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const uint8_t counters[] = "\xa1\x64"
                                      "lost\x00";
    static uint8_t payload[FUZZ_PAYLOAD];
    uint8_t head = FUZZ_OFFER;
    (void)argc;
    (void)argv;
    (void)fuzz_form(0, names, FUZZ_MESSAGE_FORMS); /* a wrong FUZZ_ONLY ends here */
    fuzz_ta_start();
    fuzz_parties_make();
    fuzz_checks_pass = true;
    fuzz_sample_remake();
    make_device();
    seed(FUZZ_STATEMENT, message, fuzz_claim(message));
    seed(FUZZ_STATEMENT, message, fuzz_reset(message));
    seed(FUZZ_STATEMENT, message, fuzz_rollback(message));
    seed(FUZZ_STATEMENT, message, fuzz_rebase(message));
    seed(FUZZ_ROSTER, message, fuzz_roster(message, 2));
    seed(FUZZ_ROSTER, message, fuzz_succession(message, 2));
    seed(FUZZ_RULES_HELLO, message, fuzz_rules_hello(message, 2));
    fuzz_seed(&head, 1, payload, fuzz_offer_plaintext(payload, 2));
    head = FUZZ_FRAME;
    fuzz_seed(&head, 1, payload, fuzz_frame_plaintext(payload));
    head = FUZZ_ZONE_OFFER;
    fuzz_seed(&head, 1, payload, fuzz_zone_payload(payload, 2));
    head = FUZZ_MODEL_OFFER;
    fuzz_seed(&head, 1, payload, fuzz_model_offer(payload, &fuzz_sample, 2));
    head = FUZZ_COUNTERS;
    fuzz_seed(&head, 1, counters, sizeof counters - 1);
    return 0;
}

static uint32_t wrap(enum fuzz_message form, const uint8_t *payload, size_t length, size_t *size)
{
    switch (form) {
    case FUZZ_STATEMENT:
        *size = fuzz_signed(message, &fuzz_owner, "owner", payload, length);
        return SZ_CMD_OWNER;
    case FUZZ_ROSTER:
        *size = fuzz_signed(message, &fuzz_owner, "roster", payload, length);
        return SZ_CMD_ROSTER;
    case FUZZ_OFFER:
        *size = fuzz_sealed_offer(message, payload, length);
        return SZ_CMD_OFFER;
    case FUZZ_ZONE_OFFER:
        *size = fuzz_signed(message, &fuzz_sensor, "zone-offer", payload, length);
        return SZ_CMD_ZONE_OFFER;
    case FUZZ_RULES_HELLO:
        *size = fuzz_signed(message, &fuzz_rules, "rules-hello", payload, length);
        return SZ_CMD_RULES_HELLO;
    case FUZZ_FRAME:
        *size = fuzz_frame_record(message, 2, payload, length);
        return SZ_CMD_FRAME;
    case FUZZ_MODEL_OFFER:
        *size = fuzz_model_begin_with(message, &fuzz_sample, 2, payload, length);
        return SZ_CMD_MODEL_BEGIN;
    default:
        memcpy(message, payload, length);
        *size = length;
        return SZ_CMD_TELEMETRY;
    }
}

/* A TA that finds this in its storage does not start, or starts as what is stored. */
static void start_with(const uint8_t *stored, size_t length)
{
    static const char id[] = "smart-zone/state";
    const uint32_t flags = TEE_DATA_FLAG_ACCESS_READ | TEE_DATA_FLAG_ACCESS_WRITE |
                           TEE_DATA_FLAG_ACCESS_WRITE_META | TEE_DATA_FLAG_OVERWRITE;
    TEE_ObjectHandle object;
    TEE_Result result;
    fuzz_tee_start();
    FUZZ_CHECK(TEE_CreatePersistentObject(TEE_STORAGE_PRIVATE, id, sizeof id - 1, flags, TEE_HANDLE_NULL,
                                          stored, length, &object) == TEE_SUCCESS);
    TEE_CloseObject(object);
    result = TA_CreateEntryPoint();
    FUZZ_CHECK(result == TEE_SUCCESS || result == TEE_ERROR_CORRUPT_OBJECT || result == TEE_ERROR_GENERIC);
    FUZZ_TAKEN(result == TEE_SUCCESS);
    if (result == TEE_SUCCESS) {
        (void)fuzz_ping();
        (void)fuzz_command(SZ_CMD_HELLO, 0, NULL, 0);
        (void)fuzz_command(SZ_CMD_MODEL_STATUS, 0, NULL, 0);
    }
    TA_DestroyEntryPoint();
    as_made = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    enum fuzz_message form;
    struct fuzz_reply reply;
    uint32_t command;
    size_t size;
    if (length == 0 || length > FUZZ_PAYLOAD) {
        return 0;
    }
    form = (enum fuzz_message)fuzz_form(data[0], names, FUZZ_MESSAGE_FORMS);
    if (form == FUZZ_STORED) {
        start_with(data + 1, length - 1);
        return 0;
    }
    if (!as_made) {
        make_device();
    }
    command = wrap(form, data + 1, length - 1, &size);
    reply = fuzz_command(command, 0, message, size);
    FUZZ_CHECK(reply.result == TEE_SUCCESS);
    FUZZ_CHECK(reply.code != SZ_CRYPTO_FAILED && reply.code != SZ_STORAGE_FAILED);
    FUZZ_TAKEN(!fuzz_is_form_error(reply.code));
    if (form != FUZZ_COUNTERS && !fuzz_is_form_error(reply.code)) {
        as_made = false;
    }
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned random)
{
    return fuzz_mutate(data, size, most, random, 1);
}
