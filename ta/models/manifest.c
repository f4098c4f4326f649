/* The model manifest: a SUIT envelope (draft-ietf-suit-manifest-34) of one fixed shape, matched exactly. */
#include "models/model.h"
#include "sz_product.h"
#include "tinylib/target.h"
#include "trust/cbor_read.h"
#include "trust/cose_sign1.h"

#include <string.h>

enum {
    TAG_SUIT_ENVELOPE = 107,
    COSE_SHA_256 = -16,
    OVERRIDE_PARAMETERS = 20,
    CONDITION_VENDOR = 1,
    CONDITION_CLASS = 2,
    CONDITION_IMAGE_MATCH = 3,
    REPORT_ALWAYS = 15, /* suit-reporting-bits: all four */
    SIGNED_SCRATCH = 192,
};

static const uint8_t VENDOR[16] = SZ_VENDOR_ID;
static const uint8_t CLASS[16] = SZ_CLASS_ID;

/* A message's item of this exact value, or it is outside the profile. */
static void expect_int(struct sz_cbor_reader *r, int64_t value)
{
    if (sz_cbor_int(r) != value) {
        sz_cbor_fail(r, SZ_MODEL_PROFILE);
    }
}

/* A reader over a byte string's content, which must be deterministic CBOR by itself. */
static struct sz_cbor_reader inside(struct sz_cbor_reader *r)
{
    const struct sz_bytes content = sz_cbor_bstr(r);
    struct sz_cbor_reader inner = sz_cbor_reader(content);
    if (sz_cbor_error(r) == SZ_OK) {
        sz_cbor_fail(r, sz_cbor_check(content));
    }
    sz_cbor_fail(&inner, sz_cbor_error(r));
    return inner;
}

/* The inner structure must end where its byte string ends; its error becomes the outer one's. */
static void leave(struct sz_cbor_reader *r, struct sz_cbor_reader *inner)
{
    sz_cbor_fail(r, sz_cbor_done(inner));
}

/* suit-digest = [-16, digest] */
static void read_digest(struct sz_cbor_reader *r, uint8_t out[SZ_SHA256_SIZE])
{
    const uint8_t *digest;
    sz_cbor_array_of(r, 2);
    expect_int(r, COSE_SHA_256);
    digest = sz_cbor_bstr_of(r, SZ_SHA256_SIZE);
    if (digest != NULL) {
        memcpy(out, digest, SZ_SHA256_SIZE);
    }
}

const char *sz_model_target(void)
{
    return sz_native_target_name();
}

/* Every device runs what is packed for the reference. */
static bool is_target(struct sz_bytes target, const char *name)
{
    return target.length == strlen(name) && memcmp(target.at, name, target.length) == 0;
}

static void read_parameters(struct sz_cbor_reader *r, struct sz_manifest *out)
{
    struct sz_cbor_reader digest;
    const uint8_t *id;
    struct sz_bytes target;
    sz_cbor_map_of(r, 7);
    sz_cbor_key(r, 1);
    id = sz_cbor_bstr_of(r, sizeof VENDOR);
    out->vendor_ok = id != NULL && memcmp(id, VENDOR, sizeof VENDOR) == 0;
    sz_cbor_key(r, 2);
    id = sz_cbor_bstr_of(r, sizeof CLASS);
    out->class_ok = id != NULL && memcmp(id, CLASS, sizeof CLASS) == 0;
    sz_cbor_key(r, 3);
    digest = inside(r);
    read_digest(&digest, out->header_digest);
    leave(r, &digest);
    sz_cbor_key(r, 14);
    out->header_size = sz_cbor_uint(r);
    sz_cbor_key(r, -1);
    out->ta_version = sz_cbor_uint(r);
    sz_cbor_key(r, -2);
    out->memory = sz_cbor_uint(r);
    sz_cbor_key(r, -3);
    target = sz_cbor_tstr(r);
    out->target_ok = is_target(target, "ref") || is_target(target, sz_model_target());
}

/* [20, parameters, 1, 15, 2, 15, -1, nil, -2, nil, -3, nil] */
static void read_shared_sequence(struct sz_cbor_reader *r, struct sz_manifest *out)
{
    sz_cbor_array_of(r, 12);
    expect_int(r, OVERRIDE_PARAMETERS);
    read_parameters(r, out);
    expect_int(r, CONDITION_VENDOR);
    expect_int(r, REPORT_ALWAYS);
    expect_int(r, CONDITION_CLASS);
    expect_int(r, REPORT_ALWAYS);
    for (int64_t custom = -1; custom >= -3; custom--) {
        expect_int(r, custom);
        sz_cbor_null(r);
    }
}

static void read_common(struct sz_cbor_reader *r, struct sz_manifest *out)
{
    static const uint8_t component[] = {'m', 'o', 'd', 'e', 'l'};
    struct sz_cbor_reader sequence;
    const uint8_t *name;
    sz_cbor_map_of(r, 2);
    sz_cbor_key(r, 2);
    sz_cbor_array_of(r, 1);
    sz_cbor_array_of(r, 1);
    name = sz_cbor_bstr_of(r, sizeof component);
    if (name != NULL && memcmp(name, component, sizeof component) != 0) {
        sz_cbor_fail(r, SZ_MODEL_PROFILE);
    }
    sz_cbor_key(r, 4);
    sequence = inside(r);
    read_shared_sequence(&sequence, out);
    leave(r, &sequence);
}

static void read_manifest(struct sz_cbor_reader *r, struct sz_manifest *out)
{
    struct sz_cbor_reader common, validate;
    sz_cbor_map_of(r, 4);
    sz_cbor_key(r, 1);
    expect_int(r, 1);
    sz_cbor_key(r, 2);
    out->sequence = sz_cbor_uint(r);
    sz_cbor_key(r, 3);
    common = inside(r);
    read_common(&common, out);
    leave(r, &common);
    sz_cbor_key(r, 7);
    validate = inside(r);
    sz_cbor_array_of(&validate, 2);
    expect_int(&validate, CONDITION_IMAGE_MATCH);
    expect_int(&validate, REPORT_ALWAYS);
    leave(r, &validate);
}

/* The envelope's parts: the encoded suit-digest, the signature block, the manifest with and without its byte
 * string head. */
struct envelope {
    struct sz_bytes digest;
    struct sz_bytes signature;
    struct sz_bytes manifest;
    struct sz_bytes manifest_encoded;
};

static enum sz_code read_envelope(const uint8_t *envelope, size_t length, struct envelope *out)
{
    const struct sz_bytes bytes = SZ_BYTES(envelope, length);
    struct sz_cbor_reader r = sz_cbor_reader(bytes), wrapper;
    const enum sz_code code = sz_cbor_check(bytes);
    size_t start;
    if (code != SZ_OK) {
        return code;
    }
    if (sz_cbor_tag(&r) != TAG_SUIT_ENVELOPE) {
        sz_cbor_fail(&r, SZ_MODEL_PROFILE);
    }
    sz_cbor_map_of(&r, 2);
    sz_cbor_key(&r, 2);
    wrapper = inside(&r);
    sz_cbor_array_of(&wrapper, 2);
    out->digest = sz_cbor_bstr(&wrapper);
    out->signature = sz_cbor_bstr(&wrapper);
    leave(&r, &wrapper);
    sz_cbor_key(&r, 3);
    start = r.at;
    out->manifest = sz_cbor_bstr(&r);
    out->manifest_encoded = SZ_BYTES(envelope + start, r.at - start);
    return sz_cbor_done(&r);
}

/* Whatever is well-formed but not of our shape is "outside the profile". */
static enum sz_code as_profile(enum sz_code code)
{
    return code == SZ_MALFORMED ? SZ_MODEL_PROFILE : code;
}

enum sz_code sz_manifest_read(const uint8_t *envelope, size_t length, struct sz_manifest *out)
{
    struct envelope parts;
    struct sz_cbor_reader r;
    struct sz_sign1 block;
    uint8_t computed[SZ_SHA256_SIZE];
    enum sz_code code = read_envelope(envelope, length, &parts);
    memset(out, 0, sizeof *out);
    if (code == SZ_OK) {
        code = sz_cbor_check(parts.digest);
    }
    if (code == SZ_OK) {
        r = sz_cbor_reader(parts.digest);
        read_digest(&r, out->digest);
        code = sz_cbor_done(&r);
    }
    if (code == SZ_OK) {
        code = sz_sign1_read_detached(parts.signature, parts.digest, &block);
    }
    if (code == SZ_OK) {
        memcpy(out->signer, block.kid, sizeof out->signer);
        code = sz_sha256(parts.manifest_encoded, computed);
    }
    if (code == SZ_OK && memcmp(computed, out->digest, sizeof computed) != 0) {
        code = SZ_MODEL_DIGEST;
    }
    if (code == SZ_OK) {
        code = sz_cbor_check(parts.manifest);
    }
    if (code == SZ_OK) {
        r = sz_cbor_reader(parts.manifest);
        read_manifest(&r, out);
        code = sz_cbor_done(&r);
    }
    if (code == SZ_OK && out->sequence == 0) {
        code = SZ_MODEL_SEQUENCE;
    }
    return as_profile(code);
}

enum sz_code sz_manifest_verify(const uint8_t *envelope, size_t length, const uint8_t key[32])
{
    struct envelope parts;
    struct sz_sign1 block;
    uint8_t scratch[SIGNED_SCRATCH];
    enum sz_code code = read_envelope(envelope, length, &parts);
    if (code == SZ_OK) {
        code = sz_sign1_read_detached(parts.signature, parts.digest, &block);
    }
    return code != SZ_OK ? as_profile(code)
                         : sz_sign1_verify(&block, key, SZ_BYTES(NULL, 0), scratch, sizeof scratch);
}
