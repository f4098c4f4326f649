/* Linked in front of the TA's parsers in a ta_host (fuzz.mk, `corpus`): every message that a parser accepts
 * during a real run becomes a seed of the fuzz target for that parser, in FUZZ_CAPTURE/<target>/. */
#include "fuzz.h"
#include "models/container.h"
#include "trust/cose_encrypt.h"
#include "trust/cose_record.h"
#include "trust/signed.h"
#include <tee_internal_api.h>

#include <string.h>
#include <sys/stat.h>

const char *fuzz_now = "capture";

/* The frames, headers and rosters of large devices say nothing that small ones do not. */
enum { LONGEST = 8 * 1024 };

static void keep(const char *target, uint8_t head, const void *bytes, size_t length)
{
    const char *const folder = getenv("FUZZ_CAPTURE");
    uint32_t name[2] = {0x811c9dc5, 0x01000193}; /* FNV-1a twice: the same message has the same name */
    char path[512];
    FILE *file;
    if (folder == NULL || length > LONGEST) {
        return;
    }
    for (size_t i = 0; i < length; i++) {
        name[0] = (name[0] ^ ((const uint8_t *)bytes)[i]) * 0x01000193;
        name[1] = (name[1] ^ name[0]) * 0x01000193;
    }
    snprintf(path, sizeof path, "%s/%s", folder, target);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%02x-%08x%08x", folder, target, head, (unsigned)name[0],
             (unsigned)name[1]);
    file = fopen(path, "wb");
    FUZZ_CHECK(file != NULL && fputc(head, file) == head);
    FUZZ_CHECK(fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
}

static enum sz_code kept(enum sz_code code, const char *target, uint8_t head, struct sz_bytes bytes)
{
    if (code == SZ_OK) {
        keep(target, head, bytes.at, bytes.length);
    }
    return code;
}

enum sz_code __real_sz_sign1_read(struct sz_bytes message, struct sz_sign1 *out);
enum sz_code __wrap_sz_sign1_read(struct sz_bytes message, struct sz_sign1 *out);
enum sz_code __wrap_sz_sign1_read(struct sz_bytes message, struct sz_sign1 *out)
{
    return kept(__real_sz_sign1_read(message, out), "fuzz_cose", FUZZ_SIGN1, message);
}

enum sz_code __real_sz_signed_verify(const struct sz_sign1 *message, const uint8_t *key, const char *purpose);
enum sz_code __wrap_sz_signed_verify(const struct sz_sign1 *message, const uint8_t *key, const char *purpose);
enum sz_code __wrap_sz_signed_verify(const struct sz_sign1 *message, const uint8_t *key, const char *purpose)
{
    static const struct {
        const char *purpose;
        enum fuzz_message form;
    } forms[] = {{"owner", FUZZ_STATEMENT},
                 {"roster", FUZZ_ROSTER},
                 {"rules-hello", FUZZ_RULES_HELLO},
                 {"zone-offer", FUZZ_ZONE_OFFER},
                 {"model-offer", FUZZ_MODEL_OFFER}};
    const enum sz_code code = __real_sz_signed_verify(message, key, purpose);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(forms[i].purpose, purpose) == 0) {
            (void)kept(code, "fuzz_messages", (uint8_t)forms[i].form, message->payload);
        }
    }
    return code;
}

enum sz_code __real_sz_encrypt_open(struct sz_bytes message, const struct sz_agreement_key *own,
                                    struct sz_bytes extra, struct sz_bytes aad, uint8_t *out, size_t capacity,
                                    size_t *length);
enum sz_code __wrap_sz_encrypt_open(struct sz_bytes message, const struct sz_agreement_key *own,
                                    struct sz_bytes extra, struct sz_bytes aad, uint8_t *out, size_t capacity,
                                    size_t *length);
enum sz_code __wrap_sz_encrypt_open(struct sz_bytes message, const struct sz_agreement_key *own,
                                    struct sz_bytes extra, struct sz_bytes aad, uint8_t *out, size_t capacity,
                                    size_t *length)
{
    static const char offer[] = "smart-zone/1/offer", zone[] = "smart-zone/1/zone-offer";
    const enum sz_code code = __real_sz_encrypt_open(message, own, extra, aad, out, capacity, length);
    (void)kept(code, "fuzz_cose", FUZZ_ENCRYPT, message);
    if ((aad.length == sizeof offer - 1 && memcmp(aad.at, offer, aad.length) == 0) ||
        (aad.length == sizeof zone - 1 && memcmp(aad.at, zone, aad.length) == 0)) {
        (void)kept(code, "fuzz_messages", FUZZ_OFFER, SZ_BYTES(out, *length));
    }
    return code;
}

enum sz_code __real_sz_record_seal(const uint8_t *channel, uint64_t number, const uint8_t *key,
                                   struct sz_bytes aad, struct sz_bytes plaintext, uint8_t *out,
                                   size_t capacity, size_t *length);
enum sz_code __wrap_sz_record_seal(const uint8_t *channel, uint64_t number, const uint8_t *key,
                                   struct sz_bytes aad, struct sz_bytes plaintext, uint8_t *out,
                                   size_t capacity, size_t *length);
enum sz_code __wrap_sz_record_seal(const uint8_t *channel, uint64_t number, const uint8_t *key,
                                   struct sz_bytes aad, struct sz_bytes plaintext, uint8_t *out,
                                   size_t capacity, size_t *length)
{
    const enum sz_code code =
        __real_sz_record_seal(channel, number, key, aad, plaintext, out, capacity, length);
    return kept(code, "fuzz_cose", FUZZ_RECORD, SZ_BYTES(out, *length));
}

enum sz_code __real_sz_manifest_read(const uint8_t *envelope, size_t length, struct sz_manifest *out);
enum sz_code __wrap_sz_manifest_read(const uint8_t *envelope, size_t length, struct sz_manifest *out);
enum sz_code __wrap_sz_manifest_read(const uint8_t *envelope, size_t length, struct sz_manifest *out)
{
    return kept(__real_sz_manifest_read(envelope, length, out), "fuzz_model", FUZZ_ENVELOPE,
                SZ_BYTES(envelope, length));
}

enum sz_code __real_sz_container_read(const uint8_t *header, size_t length, struct sz_container *out);
enum sz_code __wrap_sz_container_read(const uint8_t *header, size_t length, struct sz_container *out);
enum sz_code __wrap_sz_container_read(const uint8_t *header, size_t length, struct sz_container *out)
{
    return kept(__real_sz_container_read(header, length, out), "fuzz_model", FUZZ_HEADER,
                SZ_BYTES(header, length));
}

TEE_Result __real_TEE_CreatePersistentObject(uint32_t storage, const void *id, size_t id_length,
                                             uint32_t flags, TEE_ObjectHandle attributes, const void *data,
                                             size_t length, TEE_ObjectHandle *object);
TEE_Result __wrap_TEE_CreatePersistentObject(uint32_t storage, const void *id, size_t id_length,
                                             uint32_t flags, TEE_ObjectHandle attributes, const void *data,
                                             size_t length, TEE_ObjectHandle *object);
TEE_Result __wrap_TEE_CreatePersistentObject(uint32_t storage, const void *id, size_t id_length,
                                             uint32_t flags, TEE_ObjectHandle attributes, const void *data,
                                             size_t length, TEE_ObjectHandle *object)
{
    keep("fuzz_messages", FUZZ_STORED, data, length);
    return __real_TEE_CreatePersistentObject(storage, id, id_length, flags, attributes, data, length, object);
}

TEE_Result __real_TA_InvokeCommandEntryPoint(void *session, uint32_t command, uint32_t types,
                                             TEE_Param params[TEE_NUM_PARAMS]);
TEE_Result __wrap_TA_InvokeCommandEntryPoint(void *session, uint32_t command, uint32_t types,
                                             TEE_Param params[TEE_NUM_PARAMS]);
TEE_Result __wrap_TA_InvokeCommandEntryPoint(void *session, uint32_t command, uint32_t types,
                                             TEE_Param params[TEE_NUM_PARAMS])
{
    const TEE_Result result = __real_TA_InvokeCommandEntryPoint(session, command, types, params);
    if (result == TEE_SUCCESS && command == SZ_CMD_TELEMETRY && params[2].value.a == SZ_OK) {
        keep("fuzz_messages", FUZZ_COUNTERS, params[0].memref.buffer, params[0].memref.size);
    }
    return result;
}
