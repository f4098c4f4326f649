/* Entry points of the trusted application: parameter types first, then sizes, then one handler per command.
 */
#include "sz_codes.h"
#include "trust/boot.h"
#include "trust/calendar.h"
#include "trust/call.h"
#include "trust/channel.h"
#include "trust/epoch.h"
#include "trust/members_seen.h"
#include "trust/memory.h"
#include "trust/roster.h"
#include "trust/security_level.h"
#include "trust/state.h"
#include "trust/statistics.h"
#include "trust/trial.h"

#include <string.h>
#include <tee_internal_api.h>

enum { STREAMS = 1, UNCLAIMED_TOO = 2 };

static const struct {
    uint32_t id;
    sz_handler *handler;
    uint32_t most;  /* bytes of request */
    uint32_t flags; /* STREAMS: reads shared memory itself, piece by piece */
} commands[] = {
    {SZ_CMD_PING, sz_on_ping, 0, UNCLAIMED_TOO},
    {SZ_CMD_HELLO, sz_on_hello, 0, UNCLAIMED_TOO},
    {SZ_CMD_EVIDENCE, sz_on_evidence, 64, UNCLAIMED_TOO},
    {SZ_CMD_OWNER, sz_on_owner, 1024, UNCLAIMED_TOO},
    {SZ_CMD_ROSTER, sz_on_roster, SZ_ROSTER_MAX, 0},
    {SZ_CMD_OFFER, sz_on_offer, 8192, 0},
    {SZ_CMD_RULES_HELLO, sz_on_rules_hello, 1024, 0},
    {SZ_CMD_FRAME, sz_on_frame, SZ_BUFFER_IN, STREAMS},
    {SZ_CMD_RECEIPT, sz_on_receipt, 8, 0},
    {SZ_CMD_TELEMETRY, sz_on_telemetry, 4096, 0},
    {SZ_CMD_MODEL_BEGIN, sz_on_model_begin, 8192, 0},
    {SZ_CMD_MODEL_SEGMENT, sz_on_model_segment, SZ_BUFFER_IN, STREAMS},
    {SZ_CMD_CONTINUE, sz_on_continue, SZ_BUFFER_IN, STREAMS},
    {SZ_CMD_MODEL_STATUS, sz_on_model_status, 0, UNCLAIMED_TOO},
    {SZ_CMD_ZONE_OFFER, sz_on_zone_offer, 8192, 0},
};

static uintptr_t sessions; /* how many were opened so far: a session's context is its number */
static uint8_t reply[SZ_REPLY_MAX];

static enum sz_code begin_first_boot(void)
{
    struct sz_boot boot;
    const enum sz_code code = sz_boot_draw(&boot);
    if (code == SZ_OK) {
        sz_boot_begin(&boot);
    }
    sz_wipe(&boot, sizeof boot);
    return code;
}

TEE_Result TA_CreateEntryPoint(void)
{
    enum sz_code code = sz_crypto_init();
    if (code == SZ_OK) {
        const TEE_Result loaded = sz_state_load();
        if (loaded != TEE_SUCCESS) {
            return loaded;
        }
        sz_calendar_owner(sz_state()->owner_time); /* what an owner said counts after a restart too */
        code = begin_first_boot();
    }
    if (code == SZ_OK) {
        code = sz_roster_restore();
    }
    if (code != SZ_OK) {
        return code == SZ_STORAGE_FAILED ? TEE_ERROR_CORRUPT_OBJECT : TEE_ERROR_GENERIC;
    }
    sz_trial_begin();
    sz_epoch_next();
    sz_security_level_find();
    return TEE_SUCCESS;
}

void TA_DestroyEntryPoint(void)
{
    sz_model_release();
    sz_channel_close_all();
    sz_seen_clear();
    sz_epoch_release();
    sz_roster_clear();
    sz_boot_release();
    sz_state_release();
    sz_crypto_release();
}

TEE_Result TA_OpenSessionEntryPoint(uint32_t types, TEE_Param params[TEE_NUM_PARAMS], void **session)
{
    (void)params;
    if (types !=
        TEE_PARAM_TYPES(TEE_PARAM_TYPE_NONE, TEE_PARAM_TYPE_NONE, TEE_PARAM_TYPE_NONE, TEE_PARAM_TYPE_NONE)) {
        return TEE_ERROR_BAD_PARAMETERS;
    }
    sessions++;
    *session = (void *)sessions;
    return TEE_SUCCESS;
}

void TA_CloseSessionEntryPoint(void *session)
{
    sz_session_ended((uintptr_t)session);
}

void sz_call_return_kid(struct sz_call *call, const uint8_t kid[8])
{
    call->c = (uint32_t)kid[0] << 24 | (uint32_t)kid[1] << 16 | (uint32_t)kid[2] << 8 | kid[3];
    call->d = (uint32_t)kid[4] << 24 | (uint32_t)kid[5] << 16 | (uint32_t)kid[6] << 8 | kid[7];
}

/* Frames and segments are read from shared memory piece by piece; other requests are copied whole. */
static enum sz_code run_on_copy(sz_handler *handler, struct sz_call *call, uint32_t length)
{
    uint8_t *const message = sz_memory_take(length);
    enum sz_code code;
    if (message == NULL) {
        return SZ_OUT_OF_MEMORY;
    }
    TEE_MemMove(message, (const void *)(uintptr_t)call->shared, length);
    call->message = SZ_BYTES(message, length);
    code = handler(call);
    sz_wipe(message, length);
    TEE_Free(message);
    return code;
}

static enum sz_code run(size_t index, struct sz_call *call, uint32_t length)
{
    if (length > commands[index].most) {
        return SZ_TOO_LONG;
    }
    if ((commands[index].flags & UNCLAIMED_TOO) == 0 && sz_state()->owners.count == 0) {
        return SZ_NOT_CLAIMED;
    }
    return (commands[index].flags & STREAMS) == 0 && length > 0
               ? run_on_copy(commands[index].handler, call, length)
               : commands[index].handler(call);
}

TEE_Result TA_InvokeCommandEntryPoint(void *session, uint32_t command, uint32_t types,
                                      TEE_Param params[TEE_NUM_PARAMS])
{
    const uint32_t expected = TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_OUTPUT,
                                              TEE_PARAM_TYPE_VALUE_INOUT, TEE_PARAM_TYPE_VALUE_OUTPUT);
    struct sz_call call = {0};
    size_t index = 0, capacity;
    enum sz_code code;
    if (types != expected) {
        return TEE_ERROR_BAD_PARAMETERS;
    }
    while (index < sizeof commands / sizeof commands[0] && commands[index].id != command) {
        index++;
    }
    if (index == sizeof commands / sizeof commands[0]) {
        return TEE_ERROR_NOT_SUPPORTED;
    }
    capacity = params[1].memref.size;
    if (params[0].memref.size > SZ_BUFFER_IN ||
        (params[0].memref.size > 0 && params[0].memref.buffer == NULL) ||
        (capacity > 0 && params[1].memref.buffer == NULL)) {
        return TEE_ERROR_BAD_PARAMETERS;
    }
    call.session = (uintptr_t)session;
    call.shared = params[0].memref.buffer;
    call.shared_length = params[0].memref.size;
    call.reply = reply;
    call.reply_capacity = capacity < sizeof reply ? capacity : sizeof reply;
    call.a = params[2].value.a;
    code = run(index, &call, (uint32_t)params[0].memref.size);
    if (code != SZ_OK && code != SZ_SEGMENTS_WANTED) {
        sz_count(SZ_COUNT_REFUSED);
    }
    if (call.reply_length > 0) {
        TEE_MemMove(params[1].memref.buffer, reply, call.reply_length);
    }
    params[1].memref.size = call.reply_length;
    params[2].value.a = (uint32_t)code;
    params[2].value.b = call.b;
    params[3].value.a = call.c;
    params[3].value.b = call.d;
    sz_wipe(reply, call.reply_length);
    return TEE_SUCCESS;
}
