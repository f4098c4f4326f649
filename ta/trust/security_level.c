#include "trust/security_level.h"
#include "trust/crypto.h"

#include <string.h>
#include <tee_internal_api.h>

enum { HARDWARE_ANTI_ROLLBACK = 1000, SANDBOX_MAX = 96, HEX_SIZE = 2 * SZ_SHA256_SIZE + 1 };

/* A build that is signed with a key of its own, and for a board whose secure memory is protected, says so:
 * the TA itself can measure neither. */
#ifndef SZ_OWN_SIGNING_KEY
#define SZ_OWN_SIGNING_KEY 0
#endif
#ifndef SZ_PROTECTED_MEMORY
#define SZ_PROTECTED_MEMORY 0
#endif

/* Of the sources (settings.mk). */
#ifndef SZ_SOURCES_SHA256
#define SZ_SOURCES_SHA256 "unknown"
#endif

static struct {
    bool software;
    char sandbox[SANDBOX_MAX];
    bool zero_key_known;
    bool zero_key;                       /* the hardware unique key is all zeros */
    uint32_t anti_rollback, system_time; /* protection levels (GlobalPlatform): 100 Linux, 1000 hardware */
    bool memory_known;
    char memory[HEX_SIZE]; /* SHA-256 of the TA's code and constants, as OP-TEE measured it */
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

/* OP-TEE's attestation pseudo TA, where it was built with it, hashes the pages of its caller that nobody
 * writes. It signs the hash as well, with a key that nothing vouches for: only the hash is of use. */
static void measure_memory(void)
{
    static const TEE_UUID attestation_pta = {
        0x39800861, 0x182a, 0x4720, {0x9b, 0x67, 0x2b, 0xcd, 0x62, 0x2b, 0xc0, 0xb5}};
    enum { HASH_TA_MEMORY = 2, SIGNATURE_MAX = 512 };
    static const char digits[] = "0123456789abcdef";
    uint8_t nonce[SZ_SHA256_SIZE] = {0};
    uint8_t hash[SZ_SHA256_SIZE + SIGNATURE_MAX];
    TEE_TASessionHandle session = TEE_HANDLE_NULL;
    TEE_Param params[TEE_NUM_PARAMS] = {0};
    const uint32_t types = TEE_PARAM_TYPES(TEE_PARAM_TYPE_MEMREF_INPUT, TEE_PARAM_TYPE_MEMREF_OUTPUT,
                                           TEE_PARAM_TYPE_NONE, TEE_PARAM_TYPE_NONE);
    if (TEE_OpenTASession(&attestation_pta, TEE_TIMEOUT_INFINITE, 0, NULL, &session, NULL) != TEE_SUCCESS) {
        return;
    }
    params[0].memref.buffer = nonce;
    params[0].memref.size = sizeof nonce;
    params[1].memref.buffer = hash;
    params[1].memref.size = sizeof hash;
    if (TEE_InvokeTACommand(session, TEE_TIMEOUT_INFINITE, HASH_TA_MEMORY, types, params, NULL) ==
            TEE_SUCCESS &&
        params[1].memref.size >= SZ_SHA256_SIZE) {
        for (size_t i = 0; i < SZ_SHA256_SIZE; i++) {
            found.memory[2 * i] = digits[hash[i] >> 4];
            found.memory[2 * i + 1] = digits[hash[i] & 15];
        }
        found.memory_known = true;
    }
    TEE_CloseTASession(session);
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
    measure_memory();
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

static void put_text(struct sz_cbor_writer *w, const char *name, const char *value, bool measured)
{
    sz_cbor_put_text(w, name);
    sz_cbor_put_array(w, 2);
    sz_cbor_put_text(w, value);
    sz_cbor_put_bool(w, measured);
}

static void put_number(struct sz_cbor_writer *w, const char *name, uint32_t value)
{
    sz_cbor_put_text(w, name);
    sz_cbor_put_array(w, 2);
    sz_cbor_put_uint(w, value);
    sz_cbor_put_bool(w, true);
}

static const char *owner_key(void)
{
#ifdef SZ_OWNER_KEY
    return "compiled in";
#else
    return "any";
#endif
}

/* Keys in the order of their encoding: shorter first. */
void sz_security_items_write(struct sz_cbor_writer *w)
{
    sz_cbor_put_map(w, 8u + found.software + found.memory_known);
    put_text(w, "tee", found.software ? "software" : "op-tee",
             found.software); /* nothing measures that it is not */
    if (found.software) {
        put_text(w, "sandbox", found.sandbox, true);
    }
    put_text(w, "owner-key", owner_key(), false);
    put_text(w, "unique-key",
             !found.zero_key_known ? "unknown"
             : found.zero_key      ? "all zeros"
                                   : "not all zeros",
             found.zero_key_known);
    put_text(w, "sources-sha256", SZ_SOURCES_SHA256, false);
    put_text(w, "ta-signing-key", SZ_OWN_SIGNING_KEY ? "own" : "public default", false);
    if (found.memory_known) {
        put_text(w, "ta-memory-sha256", found.memory, true);
    }
    put_number(w, "system-time-level",
               found.system_time); /* 100: Linux may stop leases and epochs from running out */
    put_number(w, "anti-rollback-level", found.anti_rollback);
    sz_cbor_put_text(w, "secure-memory-protected");
    sz_cbor_put_array(w, 2);
    sz_cbor_put_bool(w, SZ_PROTECTED_MEMORY && !found.software);
    sz_cbor_put_bool(w, false);
}
