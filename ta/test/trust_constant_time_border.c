/* Where secrets enter ta/trust and where values stop being secret. The TEE's API itself is not under test: it
 * is libcrypto here and OP-TEE's core there. What goes into it is defined for the time of the call, what
 * comes out is secret where it is a key, a shared secret, a MAC, random, decrypted or read from storage.
 *
 * Each `public()` below is a decision, with its reason. */
#include "fuzz.h"
#include "trust/boot.h"
#include "trust/cose_encrypt.h"
#include "trust/cose_record.h"
#include "trust/epoch.h"
#include "trust/padding.h"
#include "trust/signed.h"
#include "trust_constant_time.h"

#include <string.h>
#include <tee_internal_api.h>
#include <valgrind/memcheck.h>

enum leak leak;
bool fuzz_checks_pass; /* always the real checks here, and real random numbers */
void fuzz_random_restart(void)
{
}

/* ------------------------------------------------------------------ secrets */

enum { KNOWN = 16, LARGEST = 64 * 1024 };
static struct sz_bytes known[KNOWN];
static size_t known_count;
static unsigned long made;
static int inside; /* the TEE's own calls of its API are its own affair */

void secret_is(const void *bytes, size_t length)
{
    FUZZ_CHECK(known_count < KNOWN);
    known[known_count++] = SZ_BYTES(bytes, length);
}

void secret(void *at, size_t length)
{
    if (length > 0) {
        (void)VALGRIND_MAKE_MEM_UNDEFINED(at, length);
        made += length;
    }
}

void public(const void *at, size_t length)
{
    if (length > 0) {
        (void)VALGRIND_MAKE_MEM_DEFINED(at, length);
    }
}

unsigned long secrets_made(void)
{
    return made;
}

/* Everything here is public but the copies of known secrets. */
static void public_but_for_secrets(uint8_t *at, size_t length)
{
    struct sz_bytes found[KNOWN]; /* looked for first: what is secret must not be compared */
    size_t count = 0;
    public(at, length);
    for (size_t k = 0; k < known_count; k++) {
        for (size_t i = 0; i + known[k].length <= length; i++) {
            if (memcmp(at + i, known[k].at, known[k].length) == 0) {
                FUZZ_CHECK(count < KNOWN);
                found[count++] = SZ_BYTES(at + i, known[k].length);
                i += known[k].length - 1;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        secret((uint8_t *)(uintptr_t)found[i].at, found[i].length);
    }
}

/* An argument that is defined for the time of a call. */
struct lent {
    const void *at;
    size_t length;
    uint8_t *bits;
};

static struct lent lend(const void *at, size_t length)
{
    struct lent lent = {at, at == NULL ? 0 : length, NULL};
    if (lent.length > 0) {
        lent.bits = malloc(lent.length);
        FUZZ_CHECK(lent.bits != NULL);
        (void)VALGRIND_GET_VBITS(at, lent.bits, lent.length);
        public(at, lent.length);
    }
    return lent;
}

/* As it was before; whether any of it was secret. */
static bool give_back(struct lent lent)
{
    bool any = false;
    for (size_t i = 0; i < lent.length; i++) {
        any = any || lent.bits[i] != 0;
    }
    if (lent.length > 0) {
        (void)VALGRIND_SET_VBITS(lent.at, lent.bits, lent.length);
        free(lent.bits);
    }
    return any;
}

/* ------------------------------------------------------------------ the TEE's API */

#define WRAP(type, name, parameters)                                                                         \
    type __real_##name parameters;                                                                           \
    type __wrap_##name parameters;                                                                           \
    type __wrap_##name parameters

WRAP(void, TEE_GenerateRandom, (void *out, size_t length))
{
    __real_TEE_GenerateRandom(out, length);
    if (inside == 0) {
        secret(out, length);
    }
}

WRAP(TEE_Result, TEE_GenerateKey, (TEE_ObjectHandle o, uint32_t size, const TEE_Attribute *p, uint32_t n))
{
    TEE_Result result;
    inside++;
    result = __real_TEE_GenerateKey(o, size, p, n);
    inside--;
    return result;
}

WRAP(TEE_Result, TEE_GetObjectBufferAttribute, (TEE_ObjectHandle o, uint32_t id, void *out, size_t *size))
{
    const TEE_Result result = __real_TEE_GetObjectBufferAttribute(o, id, out, size);
    if (inside == 0 && (id == TEE_ATTR_ED25519_PRIVATE_VALUE || id == TEE_ATTR_X25519_PRIVATE_VALUE ||
                        id == TEE_ATTR_SECRET_VALUE)) {
        secret(out, *size);
    }
    return result;
}

WRAP(TEE_Result, TEE_PopulateTransientObject, (TEE_ObjectHandle o, const TEE_Attribute *a, uint32_t n))
{
    struct lent lent[4];
    TEE_Result result;
    FUZZ_CHECK(n <= 4);
    for (uint32_t i = 0; i < n; i++) {
        lent[i] = lend(a[i].content.ref.buffer, a[i].content.ref.length);
    }
    result = __real_TEE_PopulateTransientObject(o, a, n);
    for (uint32_t i = 0; i < n; i++) {
        (void)give_back(lent[i]);
    }
    return result;
}

/* There is one digest at a time: whether something secret went into it. */
static bool digest_of_secret;

WRAP(void, TEE_ResetOperation, (TEE_OperationHandle o))
{
    digest_of_secret = false;
    __real_TEE_ResetOperation(o);
}

WRAP(void, TEE_DigestUpdate, (TEE_OperationHandle o, const void *chunk, size_t length))
{
    const struct lent lent = lend(chunk, length);
    __real_TEE_DigestUpdate(o, chunk, length);
    digest_of_secret |= give_back(lent);
}

WRAP(TEE_Result, TEE_DigestDoFinal,
     (TEE_OperationHandle o, const void *chunk, size_t length, void *out, size_t *size))
{
    const TEE_Result result = __real_TEE_DigestDoFinal(o, chunk, length, out, size);
    if (digest_of_secret) {
        secret(out, *size);
    }
    return result;
}

WRAP(void, TEE_MACUpdate, (TEE_OperationHandle o, const void *chunk, size_t length))
{
    const struct lent lent = lend(chunk, length);
    __real_TEE_MACUpdate(o, chunk, length);
    (void)give_back(lent);
}

WRAP(TEE_Result, TEE_MACComputeFinal,
     (TEE_OperationHandle o, const void *m, size_t length, void *out, size_t *size))
{
    const TEE_Result result = __real_TEE_MACComputeFinal(o, m, length, out, size);
    secret(out, *size);
    return result;
}

WRAP(TEE_Result, TEE_AEInit,
     (TEE_OperationHandle o, const void *nonce, size_t length, uint32_t tag, size_t aad, size_t payload))
{
    const struct lent lent = lend(nonce, length);
    const TEE_Result result = __real_TEE_AEInit(o, nonce, length, tag, aad, payload);
    (void)give_back(lent);
    return result;
}

WRAP(TEE_Result, TEE_AEUpdate,
     (TEE_OperationHandle o, const void *in, size_t length, void *out, size_t *size))
{
    const TEE_Result result = __real_TEE_AEUpdate(o, in, length, out, size);
    secret(out, *size); /* the TA only decrypts in pieces */
    return result;
}

/* Ciphertext and tag are public: they are what is sent. */
WRAP(TEE_Result, TEE_AEEncryptFinal,
     (TEE_OperationHandle o, const void *in, size_t length, void *out, size_t *size, void *tag,
      size_t *tag_size))
{
    const struct lent lent = lend(in, length);
    const TEE_Result result = __real_TEE_AEEncryptFinal(o, in, length, out, size, tag, tag_size);
    (void)give_back(lent);
    return result;
}

/* That a tag matched or not is public: the sender is told. */
WRAP(TEE_Result, TEE_AEDecryptFinal,
     (TEE_OperationHandle o, const void *in, size_t length, void *out, size_t *size, void *tag,
      size_t tag_size))
{
    const TEE_Result result = __real_TEE_AEDecryptFinal(o, in, length, out, size, tag, tag_size);
    if (result == TEE_SUCCESS) {
        secret(out, *size);
    }
    return result;
}

/* A signature of what is secret (a label) says something of it. */
WRAP(TEE_Result, TEE_AsymmetricSignDigest,
     (TEE_OperationHandle o, const TEE_Attribute *p, uint32_t n, const void *m, size_t length, void *out,
      size_t *size))
{
    const struct lent lent = lend(m, length);
    const TEE_Result result = __real_TEE_AsymmetricSignDigest(o, p, n, m, length, out, size);
    if (give_back(lent)) {
        secret(out, *size);
    }
    return result;
}

/* Storage keeps secrets secret: what was secret when it was written is so when it is read. */
static uint8_t stored_bits[LARGEST];
static size_t stored_length;

WRAP(TEE_Result, TEE_CreatePersistentObject,
     (uint32_t s, const void *id, size_t id_length, uint32_t flags, TEE_ObjectHandle a, const void *data,
      size_t length, TEE_ObjectHandle *o))
{
    struct lent lent = lend(data, length);
    TEE_Result result;
    FUZZ_CHECK(length <= sizeof stored_bits);
    memcpy(stored_bits, lent.bits, length);
    stored_length = length;
    inside++;
    result = __real_TEE_CreatePersistentObject(s, id, id_length, flags, a, data, length, o);
    inside--;
    (void)give_back(lent);
    return result;
}

WRAP(TEE_Result, TEE_ReadObjectData, (TEE_ObjectHandle o, void *out, size_t size, size_t *count))
{
    const TEE_Result result = __real_TEE_ReadObjectData(o, out, size, count);
    FUZZ_CHECK(*count == stored_length);
    (void)VALGRIND_SET_VBITS(out, stored_bits, *count);
    for (size_t i = 0; i < *count; i++) {
        made += stored_bits[i] != 0;
    }
    return result;
}

/* The key that the TEE derives from the hardware's. */
WRAP(TEE_Result, TEE_InvokeTACommand,
     (TEE_TASessionHandle s, uint32_t t, uint32_t c, uint32_t types, TEE_Param *p, uint32_t *o))
{
    TEE_Result result;
    inside++;
    result = __real_TEE_InvokeTACommand(s, t, c, types, p, o);
    inside--;
    secret(p[1].memref.buffer, p[1].memref.size);
    return result;
}

/* ------------------------------------------------------------------ what is not secret any more */

/* Whether two values are equal is what the comparison is for: the party is told, or the device refuses. */
WRAP(bool, sz_equal, (const void *a, const void *b, size_t length))
{
    static const uint8_t table[256] = {1};
    volatile uint8_t sink;
    bool equal = __real_sz_equal(a, b, length);
    if (leak == LEAK_BRANCH) { /* what memcmp() may do: stop at the first difference */
        const volatile uint8_t *x = a, *y = b;
        size_t same = 0;
        while (same < length && x[same] == y[same]) {
            same++;
        }
        equal = same == length;
    } else if (leak == LEAK_INDEX && length > 0) {
        sink = table[*(const uint8_t *)a];
        (void)sink;
    }
    public(&equal, sizeof equal);
    return equal;
}

/* The boot nonce and, while there is no owner, the claim nonce are in the hello, which everybody may read. */
WRAP(void, sz_boot_begin, (const struct sz_boot *next))
{
    __real_sz_boot_begin(next);
    public(sz_boot()->nonce, SZ_NONCE16_SIZE);
    public(sz_boot()->claim_nonce, SZ_NONCE16_SIZE);
}

/* The epoch's channel id is in the header of each label's record. */
WRAP(void, sz_epoch_next, (void))
{
    __real_sz_epoch_next();
    public(sz_epoch_now()->channel, SZ_CHANNEL_ID_SIZE);
}

/* Ciphertext, IV and encapsulated key are what is sent. */
WRAP(enum sz_code, sz_encrypt_seal,
     (const uint8_t *recipient, struct sz_bytes extra, struct sz_bytes aad, struct sz_bytes plaintext,
      uint8_t *out, size_t capacity, size_t *length))
{
    const enum sz_code code = __real_sz_encrypt_seal(recipient, extra, aad, plaintext, out, capacity, length);
    public(out, *length);
    return code;
}

/* An offer's members but for its secret: channel id and counter are in records and on topics, versions and
 * shape in the hello, time is the sensor's clock. The model offer is a content key and nothing else. */
WRAP(enum sz_code, sz_encrypt_open,
     (struct sz_bytes message, const struct sz_agreement_key *own, struct sz_bytes extra, struct sz_bytes aad,
      uint8_t *out, size_t capacity, size_t *length))
{
    const enum sz_code code = __real_sz_encrypt_open(message, own, extra, aad, out, capacity, length);
    if (code == SZ_OK) {
        public_but_for_secrets(out, *length);
    }
    return code;
}

/* A frame's form but for its data: the shape is in the hello, and a sensor whose frame has another form is
 * told so (BAD_FRAME). */
WRAP(enum sz_code, sz_record_open,
     (const struct sz_record_header *header, const uint8_t *key, struct sz_bytes aad,
      const volatile uint8_t *shared, uint8_t *out, size_t capacity, size_t *length, uint8_t *digest,
      uint8_t *tag))
{
    const enum sz_code code =
        __real_sz_record_open(header, key, aad, shared, out, capacity, length, digest, tag);
    if (code == SZ_OK && out != NULL) {
        public_but_for_secrets(out, *length);
    }
    return code;
}

/* What a model is steers the engine (ta/models, ta/tinylib): only ta/trust is under test here. */
WRAP(enum sz_code, sz_gcm_open_shared,
     (const uint8_t *key, const uint8_t *nonce, struct sz_bytes aad, const volatile uint8_t *shared,
      size_t length, uint8_t *out, uint8_t *digest, uint8_t *tag))
{
    static const char segment[] = "smart-zone/1/segment";
    const enum sz_code code = __real_sz_gcm_open_shared(key, nonce, aad, shared, length, out, digest, tag);
    if (code == SZ_OK && aad.length == sizeof segment - 1 && memcmp(aad.at, segment, aad.length) == 0) {
        public(out, length - SZ_TAG_SIZE);
    }
    return code;
}

/* The same for a frame's data while the network runs on it, and for its results as they are written: how many
 * they are and how long their names decides a length. The padding hides that length; the time it takes is not
 * hidden (SECURITY.md). What was written is secret again. */
WRAP(enum sz_code, sz_model_infer, (struct sz_bytes data))
{
    public(data.at, data.length);
    return __real_sz_model_infer(data);
}

WRAP(void, sz_model_write_results, (struct sz_cbor_writer * w))
{
    const size_t before = w->length;
    __real_sz_model_write_results(w);
    if (!w->overflow) {
        secret(w->at + before, w->length - before);
    }
}
