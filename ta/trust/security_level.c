#include "trust/security_level.h"
#include "trust/crypto.h"

#include <string.h>
#include <tee_internal_api.h>

enum { HARDWARE_ANTI_ROLLBACK = 1000, SANDBOX_MAX = 96 };

/* A build that is signed with a key of its own, and for a board whose secure memory is protected, says so:
 * the TA itself can measure neither. */
#ifndef SZ_OWN_SIGNING_KEY
#define SZ_OWN_SIGNING_KEY 0
#endif
#ifndef SZ_PROTECTED_MEMORY
#define SZ_PROTECTED_MEMORY 0
#endif

static struct {
    bool software;
    char sandbox[SANDBOX_MAX];
    bool zero_key_known;
    bool zero_key;                       /* the hardware unique key is all zeros */
    uint32_t anti_rollback, system_time; /* protection levels (GlobalPlatform): 100 Linux, 1000 hardware */
    uint32_t level;
} found;

/* OP-TEE's system pseudo TA gives each TA a key derived from the hardware unique key: HMAC-SHA256 under it
 * over the TA's UUID and our data. The one that an all-zero key gives can be computed here. */
static void test_unique_key(void)
{
    static const TEE_UUID system_pta = {
        0x3a2f8978, 0x5dc0, 0x11e8, {0x9c, 0x2d, 0xfa, 0x7a, 0xe0, 0x1b, 0xbe, 0xbc}};
    static const TEE_UUID own = SZ_TA_UUID;
    enum { DERIVE_TA_UNIQUE_KEY = 1 };
    static const uint8_t zero_key[SZ_KEY_SIZE];
    static const uint32_t usage = 3;
    uint8_t measured[SZ_KEY_SIZE], computed[SZ_SHA256_SIZE];
    struct sz_bytes pieces[3];
    TEE_TASessionHandle session = TEE_HANDLE_NULL;
    TEE_Param params[TEE_NUM_PARAMS] = {0};
    const uint32_t types = TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_OUTPUT,
                                           TEE_PARAM_TYPE_NONE, TEE_PARAM_TYPE_NONE);
    uint8_t extra[1] = {0};
    if (TEE_OpenTASession(&system_pta, TEE_TIMEOUT_INFINITE, 0, NULL, &session, NULL) != TEE_SUCCESS) {
        return;
    }
    params[0].memref.buffer = extra;
    params[0].memref.size = sizeof extra;
    params[1].memref.buffer = measured;
    params[1].memref.size = sizeof measured;
    if (TEE_InvokeTACommand(session, TEE_TIMEOUT_INFINITE, DERIVE_TA_UNIQUE_KEY, types, params, NULL) ==
        TEE_SUCCESS) {
        pieces[0] = SZ_BYTES((const uint8_t *)&usage, sizeof usage);
        pieces[1] = SZ_BYTES((const uint8_t *)&own, sizeof own);
        pieces[2] = SZ_BYTES(extra, sizeof extra);
        if (sz_hmac_sha256(SZ_BYTES(zero_key, 16), pieces, 3, computed) == SZ_OK) {
            found.zero_key_known = true;
            found.zero_key = sz_equal(measured, computed, sizeof measured);
        }
    }
    TEE_CloseTASession(session);
    sz_wipe(measured, sizeof measured);
}

void sz_security_level_find(void)
{
    size_t length = sizeof found.sandbox;
    memset(&found, 0, sizeof found);
    found.software = TEE_GetPropertyAsString(TEE_PROPSET_TEE_IMPLEMENTATION, "smartzone.sandbox",
                                             found.sandbox, &length) == TEE_SUCCESS;
    if (TEE_GetPropertyAsU32(TEE_PROPSET_TEE_IMPLEMENTATION,
                             "gpd.tee.trustedStorage.antiRollback.protectionLevel",
                             &found.anti_rollback) != TEE_SUCCESS) {
        found.anti_rollback = 0;
    }
    if (TEE_GetPropertyAsU32(TEE_PROPSET_TEE_IMPLEMENTATION, "gpd.tee.systemTime.protectionLevel",
                             &found.system_time) != TEE_SUCCESS) {
        found.system_time = 0;
    }
    test_unique_key();
    if (found.software) {
        found.level = 0;
    } else if (!SZ_OWN_SIGNING_KEY || !SZ_PROTECTED_MEMORY || !found.zero_key_known || found.zero_key) {
        found.level = 1;
    } else {
        found.level = found.anti_rollback >= HARDWARE_ANTI_ROLLBACK ? 3 : 2;
    }
}

uint32_t sz_security_level(void)
{
    return found.level;
}

static void put_name(struct sz_cbor_writer *w, const char *name)
{
    sz_cbor_put_text(w, name);
    sz_cbor_put_array(w, 2);
}

/* Keys in the order of their encoding: shorter first. */
void sz_security_items_write(struct sz_cbor_writer *w)
{
    sz_cbor_put_map(w, found.software ? 7 : 6);
    put_name(w, "tee");
    sz_cbor_put_text(w, found.software ? "software" : "op-tee");
    sz_cbor_put_bool(w, found.software); /* nothing measures that it is not */
    if (found.software) {
        put_name(w, "sandbox");
        sz_cbor_put_text(w, found.sandbox);
        sz_cbor_put_bool(w, true);
    }
    put_name(w, "unique-key");
    sz_cbor_put_text(w, !found.zero_key_known ? "unknown" : found.zero_key ? "all zeros" : "not all zeros");
    sz_cbor_put_bool(w, found.zero_key_known);
    put_name(w, "ta-signing-key");
    sz_cbor_put_text(w, SZ_OWN_SIGNING_KEY ? "own" : "public default");
    sz_cbor_put_bool(w, false);
    put_name(w, "system-time-level"); /* 100: Linux may stop leases and epochs from running out */
    sz_cbor_put_uint(w, found.system_time);
    sz_cbor_put_bool(w, true);
    put_name(w, "anti-rollback-level");
    sz_cbor_put_uint(w, found.anti_rollback);
    sz_cbor_put_bool(w, true);
    put_name(w, "secure-memory-protected");
    sz_cbor_put_bool(w, SZ_PROTECTED_MEMORY && !found.software);
    sz_cbor_put_bool(w, false);
}
