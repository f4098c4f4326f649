/* OP-TEE's system pseudo TA, as far as the TA uses it: a key of its own derived from the hardware unique key,
 * by which it can tell whether that key is all zeros (core/pta/system.c and core/kernel/huk_subkey.c:
 * HMAC-SHA256 under the hardware unique key over usage, UUID and the caller's data). */
#include <string.h>

#include "tee.h"

#define DERIVE_TA_UNIQUE_KEY 1u
#define USAGE_UNIQUE_TA 3u
#define KEY_MIN 16u
#define KEY_MAX 32u
#define EXTRA_MAX 1024u

static const TEE_UUID system_pta = {
    0x3a2f8978, 0x5dc0, 0x11e8, {0x9c, 0x2d, 0xfa, 0x7a, 0xe0, 0x1b, 0xbe, 0xbc}};
static char session_marker;

TEE_Result TEE_OpenTASession(const TEE_UUID *destination, uint32_t cancellationRequestTimeout,
                             uint32_t paramTypes, TEE_Param params[TEE_NUM_PARAMS],
                             TEE_TASessionHandle *session, uint32_t *returnOrigin)
{
    (void)cancellationRequestTimeout;
    (void)paramTypes;
    (void)params;
    if (returnOrigin)
        *returnOrigin = TEE_ORIGIN_TEE;
    if (memcmp(destination, &system_pta, sizeof system_pta) != 0)
        return TEE_ERROR_ITEM_NOT_FOUND;
    *session = (TEE_TASessionHandle)(void *)&session_marker;
    return TEE_SUCCESS;
}

void TEE_CloseTASession(TEE_TASessionHandle session)
{
    if (session && (void *)session != &session_marker)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "not a session with another TA");
}

static TEE_Result derive(TEE_Param params[TEE_NUM_PARAMS], uint32_t types)
{
    uint8_t message[sizeof(uint32_t) + sizeof(TEE_UUID) + EXTRA_MAX], key[32];
    const uint32_t usage = USAGE_UNIQUE_TA;
    const TEE_UUID uuid = sz_tee()->config.uuid;
    size_t size = 0;

    if (types != TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_OUTPUT,
                                 TEE_PARAM_TYPE_NONE, TEE_PARAM_TYPE_NONE) ||
        params[0].memref.size > EXTRA_MAX || params[1].memref.size < KEY_MIN ||
        params[1].memref.size > KEY_MAX)
        return TEE_ERROR_BAD_PARAMETERS;
    memcpy(message, &usage, sizeof usage);
    size += sizeof usage;
    memcpy(message + size, &uuid, sizeof uuid);
    size += sizeof uuid;
    if (params[0].memref.size)
        memcpy(message + size, params[0].memref.buffer, params[0].memref.size);
    size += params[0].memref.size;
    sz_hmac(sz_tee()->config.huk, SZ_SOFT_HUK_SIZE, message, size, key);
    memcpy(params[1].memref.buffer, key, params[1].memref.size);
    TEE_MemFill(key, 0, sizeof key);
    return TEE_SUCCESS;
}

TEE_Result TEE_InvokeTACommand(TEE_TASessionHandle session, uint32_t cancellationRequestTimeout,
                               uint32_t commandID, uint32_t paramTypes, TEE_Param params[TEE_NUM_PARAMS],
                               uint32_t *returnOrigin)
{
    (void)cancellationRequestTimeout;
    if ((void *)session != &session_marker)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "not a session with another TA");
    if (returnOrigin)
        *returnOrigin = TEE_ORIGIN_TRUSTED_APP;
    return commandID == DERIVE_TA_UNIQUE_KEY ? derive(params, paramTypes) : TEE_ERROR_NOT_SUPPORTED;
}
