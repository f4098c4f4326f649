/* Every call of the TEE's API that can fail fails once: each command in each state of a device, and each
 * start of the TA, is run again and again, and its n-th such call fails, for every n. Whatever it is, the
 * command ends with an error code or does without, nothing leaks, what is stored and what is in memory is
 * before or after and never between, and the same command without the failure then does what it should. */
#include "fuzz.h"
#include "soft_tee.h"
#include "trust/boot.h"
#include "trust/channel.h"
#include "trust/epoch.h"
#include "trust/members_seen.h"
#include "trust/roster.h"
#include "trust/state.h"

#include <string.h>

/* ------------------------------------------------------------------ failing */

/* SHORT: the call succeeds, but gives a byte less than was asked for. */
static enum mode { FAIL, SHORT } mode;
static uint32_t calls, fail_at; /* fail_at 0: nothing fails */
static const char *failed;      /* NULL: not yet */

static bool fails(const char *name, bool can_be_short)
{
    if (fail_at == 0 || (mode == SHORT && !can_be_short) || ++calls != fail_at) {
        return false;
    }
    failed = name;
    return true;
}

/* A function that fails with TEE_ERROR_GENERIC where it is this call's turn. */
#define FAILING(name, parameters, arguments)                                                                 \
    TEE_Result __real_##name parameters;                                                                     \
    TEE_Result __wrap_##name parameters;                                                                     \
    TEE_Result __wrap_##name parameters                                                                      \
    {                                                                                                        \
        return fails(#name, false) ? TEE_ERROR_GENERIC : __real_##name arguments;                            \
    }

/* The same, of a function with a length that it sets. */
#define FAILING_LENGTH(name, length, parameters, arguments)                                                  \
    TEE_Result __real_##name parameters;                                                                     \
    TEE_Result __wrap_##name parameters;                                                                     \
    TEE_Result __wrap_##name parameters                                                                      \
    {                                                                                                        \
        const bool now = fails(#name, true);                                                                 \
        TEE_Result result = TEE_ERROR_GENERIC;                                                               \
        if (!now || mode == SHORT) {                                                                         \
            result = __real_##name arguments;                                                                \
        }                                                                                                    \
        if (now && mode == SHORT) {                                                                          \
            (*(length))--;                                                                                   \
        }                                                                                                    \
        return result;                                                                                       \
    }

FAILING(TEE_AllocateOperation, (TEE_OperationHandle * o, uint32_t a, uint32_t m, uint32_t k), (o, a, m, k))
FAILING(TEE_AllocateTransientObject, (TEE_ObjectType t, uint32_t m, TEE_ObjectHandle *o), (t, m, o))
FAILING(TEE_PopulateTransientObject, (TEE_ObjectHandle o, const TEE_Attribute *a, uint32_t n), (o, a, n))
FAILING(TEE_SetOperationKey, (TEE_OperationHandle o, TEE_ObjectHandle k), (o, k))
FAILING(TEE_GenerateKey, (TEE_ObjectHandle o, uint32_t s, const TEE_Attribute *p, uint32_t n), (o, s, p, n))
FAILING_LENGTH(TEE_GetObjectBufferAttribute, s, (TEE_ObjectHandle o, uint32_t i, void *b, size_t *s),
               (o, i, b, s))
FAILING_LENGTH(TEE_DigestDoFinal, hl, (TEE_OperationHandle o, const void *c, size_t cl, void *h, size_t *hl),
               (o, c, cl, h, hl))
FAILING(TEE_MACComputeFinal, (TEE_OperationHandle o, const void *m, size_t ml, void *t, size_t *tl),
        (o, m, ml, t, tl))
FAILING(TEE_AEInit, (TEE_OperationHandle o, const void *n, size_t nl, uint32_t t, size_t a, size_t p),
        (o, n, nl, t, a, p))
FAILING_LENGTH(TEE_AEUpdate, dl, (TEE_OperationHandle o, const void *s, size_t sl, void *d, size_t *dl),
               (o, s, sl, d, dl))
FAILING_LENGTH(TEE_AEEncryptFinal, dl,
               (TEE_OperationHandle o, const void *s, size_t sl, void *d, size_t *dl, void *t, size_t *tl),
               (o, s, sl, d, dl, t, tl))
FAILING_LENGTH(TEE_AEDecryptFinal, dl,
               (TEE_OperationHandle o, const void *s, size_t sl, void *d, size_t *dl, void *t, size_t tl),
               (o, s, sl, d, dl, t, tl))
FAILING_LENGTH(TEE_AsymmetricSignDigest, sl,
               (TEE_OperationHandle o, const TEE_Attribute *p, uint32_t n, const void *d, size_t dl, void *s,
                size_t *sl),
               (o, p, n, d, dl, s, sl))
FAILING(TEE_AsymmetricVerifyDigest,
        (TEE_OperationHandle o, const TEE_Attribute *p, uint32_t n, const void *d, size_t dl, const void *s,
         size_t sl),
        (o, p, n, d, dl, s, sl))
FAILING(TEE_OpenPersistentObject, (uint32_t s, const void *i, size_t il, uint32_t f, TEE_ObjectHandle *o),
        (s, i, il, f, o))
FAILING(TEE_CreatePersistentObject,
        (uint32_t s, const void *i, size_t il, uint32_t f, TEE_ObjectHandle a, const void *d, size_t dl,
         TEE_ObjectHandle *o),
        (s, i, il, f, a, d, dl, o))
FAILING(TEE_GetObjectInfo1, (TEE_ObjectHandle o, TEE_ObjectInfo *i), (o, i))
FAILING_LENGTH(TEE_ReadObjectData, c, (TEE_ObjectHandle o, void *b, size_t s, size_t *c), (o, b, s, c))
FAILING(TEE_OpenTASession,
        (const TEE_UUID *d, uint32_t t, uint32_t ty, TEE_Param *p, TEE_TASessionHandle *s, uint32_t *o),
        (d, t, ty, p, s, o))
FAILING(TEE_InvokeTACommand,
        (TEE_TASessionHandle s, uint32_t t, uint32_t c, uint32_t ty, TEE_Param *p, uint32_t *o),
        (s, t, c, ty, p, o))
FAILING(TEE_GetPropertyAsU32, (TEE_PropSetHandle s, const char *n, uint32_t *v), (s, n, v))
FAILING(TEE_GetPropertyAsString, (TEE_PropSetHandle s, const char *n, char *v, size_t *l), (s, n, v, l))

void *__real_TEE_Malloc(size_t size, uint32_t hint);
void *__wrap_TEE_Malloc(size_t size, uint32_t hint);
void *__wrap_TEE_Malloc(size_t size, uint32_t hint)
{
    return fails("TEE_Malloc", false) ? NULL : __real_TEE_Malloc(size, hint);
}

/* ------------------------------------------------------------------ what must not change */

/* All that a device knows, by value. Compared with memcmp(): cleared before it is filled. */
struct device {
    struct sz_state state; /* but for where its roster is */
    struct sz_boot boot;
    uint64_t roster, stored;
    struct sz_epoch epoch;
    struct {
        bool open;
        uint64_t last;
    } channels[2];
    enum sz_code seen[2]; /* of sensor and rules host */
    bool active;
    uint8_t model[SZ_SHA256_SIZE];
};

static uint64_t hash(const uint8_t *bytes, size_t length)
{
    uint64_t value = 0xcbf29ce484222325; /* FNV-1a */
    for (size_t i = 0; i < length; i++) {
        value = (value ^ bytes[i]) * 0x100000001b3;
    }
    return value;
}

static uint64_t stored(void)
{
    static const char id[] = "smart-zone/state";
    static uint8_t bytes[64 * 1024];
    TEE_ObjectHandle object;
    size_t count = 0;
    FUZZ_CHECK(TEE_OpenPersistentObject(TEE_STORAGE_PRIVATE, id, sizeof id - 1, TEE_DATA_FLAG_ACCESS_READ,
                                        &object) == TEE_SUCCESS);
    FUZZ_CHECK(TEE_ReadObjectData(object, bytes, sizeof bytes, &count) == TEE_SUCCESS);
    TEE_CloseObject(object);
    return hash(bytes, count);
}

static void look(struct device *out)
{
    uint8_t id[SZ_CHANNEL_ID_SIZE] = "channel";
    memset(out, 0, sizeof *out);
    memcpy(&out->state, sz_state(), sizeof out->state);
    out->state.roster = SZ_BYTES(NULL, (size_t)hash(sz_state()->roster.at, sz_state()->roster.length));
    memcpy(&out->boot, sz_boot(), sizeof out->boot);
    out->roster = sz_roster_version();
    out->stored = stored();
    memcpy(&out->epoch, sz_epoch_now(), sizeof out->epoch);
    for (uint8_t i = 0; i < 2; i++) {
        const struct sz_channel *channel;
        id[SZ_CHANNEL_ID_SIZE - 1] = (uint8_t)(i + 1);
        channel = sz_channel_find(id);
        out->channels[i].open = channel != NULL;
        out->channels[i].last = channel != NULL ? channel->numbers.last : 0;
    }
    out->seen[0] = sz_seen_check(fuzz_sensor.signing.kid, 2);
    out->seen[1] = sz_seen_check(fuzz_rules.signing.kid, 2);
    out->active = sz_model_active();
    if (out->active) {
        memcpy(out->model, sz_model_digest(), sizeof out->model);
    }
}

static size_t heap_used(void)
{
    struct sz_soft_tee_usage usage;
    sz_soft_tee_usage(&usage);
    return usage.heap_used + usage.core_used;
}

/* A TA that ends has given everything back, whatever failed before. */
static void make_again(enum fuzz_state state)
{
    fuzz_ta_stop();
    FUZZ_CHECK(heap_used() == 0);
    fuzz_device_make(state);
}

/* ------------------------------------------------------------------ commands */

static unsigned long failures, done_without;

/* These end what was begun, whatever goes wrong: a load, an inference. */
static bool ends_a_job(uint32_t command)
{
    return command == SZ_CMD_MODEL_BEGIN || command == SZ_CMD_MODEL_SEGMENT || command == SZ_CMD_FRAME ||
           command == SZ_CMD_CONTINUE;
}

/* But for keys and nonces, which are drawn anew each time. */
static bool same_effect(const struct device *a, const struct device *b)
{
    return a->state.owners.count == b->state.owners.count && a->state.has_next == b->state.has_next &&
           a->state.has_former == b->state.has_former && a->state.owner_counter == b->state.owner_counter &&
           a->state.model.sequence == b->state.model.sequence &&
           a->state.previous.sequence == b->state.previous.sequence &&
           a->state.model_floor == b->state.model_floor && a->state.roster_floor == b->state.roster_floor &&
           a->state.trial_attempts == b->state.trial_attempts && a->roster == b->roster &&
           a->epoch.number == b->epoch.number && a->active == b->active;
}

/* A statement that took effect, but whose answer could not be signed: it is given when it comes again. */
static void answered_again(const struct fuzz_request *r, const struct device *now, const struct device *whole)
{
    struct device later;
    FUZZ_CHECK(same_effect(now, whole));
    FUZZ_CHECK(fuzz_command(r->command, r->a, r->message, r->length).code == SZ_OK);
    look(&later);
    FUZZ_CHECK(memcmp(&later, now, sizeof later) == 0);
}

/* A start of a model on trial is counted, and what it has achieved is stored, before anything else is done.
 */
static bool only_counted(const struct device *before, const struct device *now, const struct device *whole)
{
    struct device counted = *before;
    counted.state.trial_attempts = whole->state.trial_attempts;
    counted.state.trial_labels = whole->state.trial_labels;
    counted.stored = now->stored;
    return memcmp(now, &counted, sizeof counted) == 0;
}

/* An error. True: the device is the same as before, also in what it is doing. */
static bool after_error(const struct fuzz_request *r, const struct device *before, const struct device *after,
                        size_t heap_before)
{
    struct device now;
    look(&now);
    if (r->command == SZ_CMD_OWNER && memcmp(&now, before, sizeof now) != 0) {
        answered_again(r, &now, after);
        return false;
    }
    FUZZ_CHECK(memcmp(&now, before, sizeof now) == 0 || only_counted(before, &now, after));
    FUZZ_CHECK(heap_used() <= heap_before);
    return !ends_a_job(r->command);
}

/* A device that the command has changed as it should, to compare with. */
static void run_whole(enum fuzz_state state, const struct fuzz_request *r, struct device *after, size_t *heap)
{
    const struct fuzz_reply reply = fuzz_command(r->command, r->a, r->message, r->length);
    FUZZ_CHECK(reply.result == TEE_SUCCESS && reply.code == (uint32_t)r->expected);
    look(after);
    *heap = heap_used();
    make_again(state);
}

/* False: there is no n-th call. */
static bool run_failing(enum fuzz_state state, const struct fuzz_request *r, uint32_t n)
{
    struct device before, after;
    struct fuzz_reply reply;
    size_t heap_before, heap_after;
    static struct device whole;
    static size_t heap_whole;
    if (n == 1) {
        run_whole(state, r, &whole, &heap_whole);
    }
    look(&before);
    heap_before = heap_used();
    calls = 0;
    failed = NULL;
    fail_at = n;
    reply = fuzz_command(r->command, r->a, r->message, r->length);
    fail_at = 0;
    FUZZ_CHECK(reply.result == TEE_SUCCESS);
    if (failed == NULL) { /* the device that survived all the failures does what it should */
        FUZZ_CHECK(reply.code == (uint32_t)r->expected);
        make_again(state);
        return false;
    }
    failures++;
    if (reply.code == (uint32_t)r->expected) {
        look(&after);
        heap_after = heap_used();
        done_without++;
        FUZZ_CHECK(same_effect(&after, &whole));
        FUZZ_CHECK(memcmp(after.channels, whole.channels, sizeof after.channels) == 0);
        /* A model that gave way keeps its memory in another way. */
        FUZZ_CHECK(heap_after <= heap_whole || sz_model_streamed() > 0);
        make_again(state);
    } else if (!after_error(r, &before, &whole, heap_before)) {
        (void)fuzz_ping();
        make_again(state);
    }
    return true;
}

static void fail_each_call(enum fuzz_state state, const struct fuzz_request *r)
{
    char now[96];
    for (int m = FAIL; m <= SHORT; m++) {
        mode = (enum mode)m;
        for (uint32_t n = 1;; n++) {
            snprintf(now, sizeof now, "state %d, command %u, %s of call %u", (int)state, r->command,
                     mode == FAIL ? "failure" : "short answer", n);
            fuzz_now = now;
            if (!run_failing(state, r, n)) {
                break;
            }
        }
    }
    fuzz_now = "between";
}

/* ------------------------------------------------------------------ starts */

/* A device that could not find something out says so, but it says it. */
static void speak(void)
{
    static const uint8_t counters[] = {0xa0};
    FUZZ_CHECK(fuzz_command(SZ_CMD_HELLO, 0, NULL, 0).code == SZ_OK);
    FUZZ_CHECK(fuzz_command(SZ_CMD_EVIDENCE, 0, (const uint8_t *)"a nonce.", 8).code == SZ_OK);
    if (sz_state()->owners.count > 0) {
        FUZZ_CHECK(fuzz_command(SZ_CMD_TELEMETRY, 0, counters, sizeof counters).code == SZ_OK);
    }
}

/* What a TA that did not start has left is what was there; the next start finds it. */
static void start_failing(enum fuzz_state state)
{
    char now[96];
    for (int m = FAIL; m <= SHORT; m++) {
        mode = (enum mode)m;
        for (uint32_t n = 1;; n++) {
            TEE_Result result;
            uint64_t before, after;
            snprintf(now, sizeof now, "start %d, %s of call %u", (int)state,
                     mode == FAIL ? "failure" : "short answer", n);
            fuzz_now = now;
            fuzz_device_make(state);
            before = stored();
            fuzz_ta_stop();
            FUZZ_CHECK(heap_used() == 0);
            calls = 0;
            failed = NULL;
            fail_at = n;
            result = TA_CreateEntryPoint();
            fail_at = 0;
            failures += failed != NULL;
            if (result == TEE_SUCCESS) {
                done_without += failed != NULL;
                speak();
            }
            TA_DestroyEntryPoint();
            FUZZ_CHECK(heap_used() == 0);
            after = stored();
            FUZZ_CHECK(before == after);
            fuzz_ta_restart();
            FUZZ_CHECK(fuzz_ping().code == SZ_OK);
            if (failed == NULL) {
                FUZZ_CHECK(result == TEE_SUCCESS);
                break;
            }
        }
    }
}

/* The first start of all makes an identity. */
static void first_start_failing(void)
{
    mode = FAIL;
    for (uint32_t n = 1;; n++) {
        TEE_Result result;
        fuzz_tee_start();
        calls = 0;
        failed = NULL;
        fail_at = n;
        result = TA_CreateEntryPoint();
        fail_at = 0;
        failures += failed != NULL;
        TA_DestroyEntryPoint();
        FUZZ_CHECK(heap_used() == 0);
        fuzz_ta_restart();
        if (failed == NULL) {
            FUZZ_CHECK(result == TEE_SUCCESS);
            return;
        }
    }
}

int main(void)
{
    fuzz_now = "setting up";
    fuzz_ta_start();
    fuzz_parties_make();
    fuzz_sample_remake();
    first_start_failing();
    for (enum fuzz_state state = 0; state < FUZZ_STATES; state++) {
        fuzz_device_make(state);
        fuzz_each_command(state, fail_each_call);
        start_failing(state);
    }
    fuzz_ta_stop();
    fuzz_model_free(&fuzz_sample);
    printf("%lu failures of the TEE's API, %lu of them done without: ok\n", failures, done_without);
    return 0;
}
