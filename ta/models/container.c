#include "models/container.h"
#include "trust/cbor_read.h"

#include <string.h>

/* One `segment` of the CDDL: [ciphertext size, SHA-256]. */
static const uint8_t *read_segment(struct sz_cbor_reader *r, uint32_t *size)
{
    uint64_t length;
    const uint8_t *digest;
    sz_cbor_array_of(r, 2);
    length = sz_cbor_uint(r);
    digest = sz_cbor_bstr_of(r, SZ_SHA256_SIZE);
    if (length <= SZ_SEGMENT_OVERHEAD || length > SZ_BUFFER_IN) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
    *size = (uint32_t)length;
    return digest;
}

static void read_segments(struct sz_cbor_reader *r, struct sz_container *out)
{
    const size_t count = sz_cbor_array(r);
    if (count == 0 || count > SZ_CONTAINER_MAX_SEGMENTS) {
        sz_cbor_fail(r, SZ_MALFORMED);
        return;
    }
    out->segment_count = (uint32_t)count;
    out->segments = SZ_BYTES(r->bytes.at + r->at, r->bytes.length - r->at);
    for (size_t i = 0; i < count && sz_cbor_error(r) == SZ_OK; i++) {
        uint32_t size = SZ_SEGMENT_OVERHEAD;
        (void)read_segment(r, &size);
    }
}

void sz_input_shape_read(struct sz_cbor_reader *r, struct sz_input_shape *out)
{
    uint64_t format;
    size_t rank;
    memset(out, 0, sizeof *out);
    sz_cbor_array_of(r, 2);
    format = sz_cbor_uint(r);
    rank = sz_cbor_array(r);
    if (format < 1 || format > 3 || rank == 0 || rank > SZ_MODEL_MAX_RANK) {
        sz_cbor_fail(r, SZ_MALFORMED);
        return;
    }
    out->format = (uint32_t)format;
    out->rank = (uint32_t)rank;
    for (size_t i = 0; i < rank; i++) {
        const uint64_t dim = sz_cbor_uint(r);
        if (dim == 0 || dim > SZ_BUFFER_IN) {
            sz_cbor_fail(r, SZ_MALFORMED);
            return;
        }
        out->dims[i] = (uint32_t)dim;
    }
}

bool sz_input_shape_equal(const struct sz_input_shape *a, const struct sz_input_shape *b)
{
    return memcmp(a, b, sizeof *a) == 0; /* no padding; unused dims are zero */
}

size_t sz_input_shape_bytes(const struct sz_input_shape *shape)
{
    uint64_t bytes = shape->format == 3 ? 4 : 1;
    for (uint32_t i = 0; i < shape->rank; i++) {
        bytes *= shape->dims[i]; /* both at most SZ_BUFFER_IN < 2^32 */
        if (bytes == 0 || bytes > SZ_BUFFER_IN) {
            return 0;
        }
    }
    return (size_t)bytes;
}

static void read_labels(struct sz_cbor_reader *r, struct sz_container *out)
{
    const size_t count = sz_cbor_array(r);
    if (count > SZ_CONTAINER_MAX_LABELS) {
        sz_cbor_fail(r, SZ_MALFORMED);
        return;
    }
    out->label_count = (uint32_t)count;
    out->labels = SZ_BYTES(r->bytes.at + r->at, r->bytes.length - r->at);
    for (size_t i = 0; i < count && sz_cbor_error(r) == SZ_OK; i++) {
        const size_t length = sz_cbor_tstr(r).length;
        if (length > SZ_CONTAINER_MAX_NAME) {
            sz_cbor_fail(r, SZ_MALFORMED);
        }
        out->label_longest = length > out->label_longest ? length : out->label_longest;
    }
}

static void read_schema(struct sz_cbor_reader *r, struct sz_container *out)
{
    uint64_t kind, most;
    sz_cbor_array_of(r, 2);
    kind = sz_cbor_uint(r);
    most = sz_cbor_uint(r);
    if (kind < SZ_RESULTS_TOP_K || kind > SZ_RESULTS_VECTOR || most == 0 ||
        most > (kind == SZ_RESULTS_VECTOR ? SZ_RESULTS_MAX_VECTOR : SZ_RESULTS_MAX)) {
        sz_cbor_fail(r, SZ_MALFORMED);
    }
    out->results_kind = (uint32_t)kind;
    out->results_most = (uint32_t)most;
}

enum sz_code sz_container_read(const uint8_t *header, size_t length, struct sz_container *out)
{
    const struct sz_bytes bytes = SZ_BYTES(header, length);
    struct sz_cbor_reader r = sz_cbor_reader(bytes);
    const enum sz_code code = sz_cbor_check(bytes);
    const uint8_t *digest;
    memset(out, 0, sizeof *out);
    if (code != SZ_OK) {
        return code;
    }
    sz_cbor_map_of(&r, 8);
    sz_cbor_key(&r, 1);
    out->graph = sz_cbor_bstr(&r);
    sz_cbor_key(&r, 2);
    read_segments(&r, out);
    sz_cbor_key(&r, 3);
    digest = read_segment(&r, &out->golden_size);
    sz_cbor_key(&r, 4);
    sz_input_shape_read(&r, &out->input);
    sz_cbor_key(&r, 5);
    read_schema(&r, out);
    sz_cbor_key(&r, 6);
    read_labels(&r, out);
    sz_cbor_key(&r, 7);
    out->tolerance = (float)sz_cbor_float(&r);
    sz_cbor_key(&r, 8);
    (void)sz_cbor_tstr(&r);
    if (sz_cbor_done(&r) != SZ_OK) {
        return sz_cbor_error(&r);
    }
    memcpy(out->golden_digest, digest, SZ_SHA256_SIZE);
    if (!(out->tolerance >= 0 && out->tolerance <= 1e6f) || sz_input_shape_bytes(&out->input) == 0) {
        return SZ_MALFORMED;
    }
    return SZ_OK;
}

const uint8_t *sz_container_segment(const struct sz_container *container, uint32_t index, uint32_t *size)
{
    struct sz_cbor_reader r = sz_cbor_reader(container->segments);
    for (uint32_t i = 0; i < index; i++) {
        (void)read_segment(&r, size);
    }
    return read_segment(&r, size);
}

struct sz_bytes sz_container_label(const struct sz_container *container, uint32_t index)
{
    struct sz_cbor_reader r = sz_cbor_reader(container->labels);
    if (index >= container->label_count) {
        return SZ_BYTES(NULL, 0);
    }
    for (uint32_t i = 0; i < index; i++) {
        (void)sz_cbor_tstr(&r);
    }
    return sz_cbor_tstr(&r);
}
