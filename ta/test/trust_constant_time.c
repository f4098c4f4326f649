/* Every command of the TA in every state of a device, good and refused, with secrets that memcheck watches:
 * run under valgrind (trust_constant_time.mk). Arguments: "branch" or "index", for a TA with that mistake. */
#include "trust_constant_time.h"
#include "fuzz.h"
#include "trust/padding.h"

#include <string.h>
#include <tee_internal_api.h>
#include <valgrind/valgrind.h>

static unsigned long commands;

static void send(const struct fuzz_request *r, const uint8_t *message, size_t length)
{
    commands++;
    (void)fuzz_command(r->command, r->a, message, length);
}

static bool ends_a_job(uint32_t command)
{
    return command == SZ_CMD_MODEL_SEGMENT || command == SZ_CMD_CONTINUE;
}

/* A byte that is other than it should be, here and there, and an end that is missing. What the first of them
 * ends (a load, an inference) is there again for the next. */
static void send_altered(enum fuzz_state state, const struct fuzz_request *r)
{
    enum { PLACES = 4 };
    for (size_t i = 0; i < PLACES && r->length > 0; i++) {
        const size_t at = i == 0 ? r->length - 1 : i * (r->length - 1) / PLACES; /* the last: mostly a tag */
        uint8_t *const altered = fuzz_copy(r->message, r->length);
        altered[at] ^= 1;
        send(r, altered, r->length);
        free(altered);
        if (ends_a_job(r->command)) {
            fuzz_device_make(state);
        }
    }
    if (r->length > 1) {
        send(r, r->message, r->length - 1);
    }
}

static void send_good(const struct fuzz_request *r)
{
    const struct fuzz_reply reply = fuzz_command(r->command, r->a, r->message, r->length);
    commands++;
    FUZZ_CHECK(reply.result == TEE_SUCCESS && reply.code == (uint32_t)r->expected);
    send(r, r->message, r->length); /* once more: a repeat, a replay */
}

/* Messages are public, whatever was secret in their making. */
static void visit(enum fuzz_state state, const struct fuzz_request *r)
{
    struct fuzz_request mine = *r;
    uint8_t *const message = fuzz_copy(r->message, r->length);
    public(message, r->length);
    mine.message = message;
    if (ends_a_job(r->command)) { /* its message fits any device */
        send_good(&mine);
        fuzz_device_make(state);
        send_altered(state, &mine);
    } else {
        send_altered(state, &mine);
        send_good(&mine);
    }
    free(message);
    fuzz_device_make(state);
}

/* A label's length depends on what was seen. */
static void pad(void)
{
    uint8_t bytes[256];
    for (size_t length = 0; length < sizeof bytes; length += 51) {
        size_t secret_length = length;
        bool padded;
        memset(bytes, 'x', sizeof bytes);
        secret(&secret_length, sizeof secret_length);
        padded = sz_pad(bytes, secret_length, sizeof bytes);
        public(&padded, sizeof padded);
        public(bytes, sizeof bytes);
        FUZZ_CHECK(padded && bytes[length] == 0x80 && (length == 0 || bytes[length - 1] == 'x'));
        for (size_t i = length + 1; i < sizeof bytes; i++) {
            FUZZ_CHECK(bytes[i] == 0);
        }
    }
}

int main(int argc, char **argv)
{
    fuzz_now = "constant time";
    leak = argc < 2 ? NO_LEAK : strcmp(argv[1], "branch") == 0 ? LEAK_BRANCH : LEAK_INDEX;
    if (RUNNING_ON_VALGRIND == 0) {
        fprintf(stderr, "trust_constant_time says something under valgrind only\n");
        return 64;
    }
    secret_is(fuzz_channel_secret, sizeof fuzz_channel_secret);
    secret_is(fuzz_content_key, sizeof fuzz_content_key);
    secret_is(fuzz_pixels, sizeof fuzz_pixels);
    fuzz_ta_start();
    fuzz_parties_make();
    fuzz_sample_remake();
    /* A mistake shows at once. */
    for (enum fuzz_state state = 0; state < (leak == NO_LEAK ? FUZZ_STATES : FUZZ_LOADING); state++) {
        fuzz_device_make(state);
        fuzz_each_command(state, visit);
    }
    pad();
    fuzz_ta_stop();
    fuzz_model_free(&fuzz_sample);
    FUZZ_CHECK(leak != NO_LEAK || secrets_made() > 100000);
    printf("%lu commands on %lu secret bytes: ok\n", commands, secrets_made());
    return VALGRIND_COUNT_ERRORS == 0 ? 0 : 9;
}
