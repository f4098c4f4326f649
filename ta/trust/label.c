#include "trust/label.h"
#include "trust/boot.h"
#include "trust/call.h"
#include "trust/epoch.h"
#include "trust/padding.h"
#include "trust/signed.h"
#include "trust/state.h"

enum {
    FIXED_MAX = 192, /* everything in a label but its results */
    GRANULE = 64,
};

/* One size for all labels of a model, whatever was seen. */
static size_t plaintext_size(void)
{
    const size_t most = FIXED_MAX + sz_model_results_bound() + SZ_SIGN1_OVERHEAD + 1;
    return (most + GRANULE - 1) / GRANULE * GRANULE;
}

size_t sz_label_size_most(void)
{
    return plaintext_size() + SZ_RECORD_OVERHEAD;
}

static size_t write_payload(const struct sz_channel *channel, const struct sz_frame_facts *frame,
                            uint8_t *payload, size_t capacity)
{
    struct sz_cbor_writer w = sz_cbor_writer(payload, capacity);
    sz_cbor_put_map(&w, channel->terms.zone ? 11 : 10);
    sz_cbor_put_uint(&w, 1);
    sz_cbor_put_bstr(&w, channel->terms.id, SZ_CHANNEL_ID_SIZE);
    sz_cbor_put_uint(&w, 2);
    sz_cbor_put_uint(&w, frame->number);
    sz_cbor_put_uint(&w, 3);
    sz_cbor_put_bstr(&w, frame->tag, sizeof frame->tag);
    sz_cbor_put_uint(&w, 4);
    sz_cbor_put_bstr(&w, frame->id, sizeof frame->id);
    sz_cbor_put_uint(&w, 5);
    sz_cbor_put_uint(&w, frame->time);
    sz_cbor_put_uint(&w, 6);
    sz_cbor_put_bstr(&w, channel->terms.sensor, SZ_KID_SIZE);
    sz_cbor_put_uint(&w, 7);
    sz_cbor_put_bstr(&w, sz_state()->signing.kid, SZ_KID_SIZE);
    sz_cbor_put_uint(&w, 8);
    sz_cbor_put_bstr(&w, sz_boot()->nonce, SZ_NONCE16_SIZE);
    sz_cbor_put_uint(&w, 9);
    sz_cbor_put_bstr(&w, sz_model_digest(), SZ_SHA256_SIZE);
    sz_cbor_put_uint(&w, 10);
    sz_model_write_results(&w);
    if (channel->terms.zone) {
        sz_cbor_put_uint(&w, 11);
        sz_cbor_put_bstr(&w, channel->terms.audience, SZ_KID_SIZE);
    }
    return sz_cbor_written(&w);
}

enum sz_code sz_label_seal(const struct sz_channel *channel, const struct sz_frame_facts *frame, uint8_t *out,
                           size_t capacity, size_t *length)
{
    size_t room = 0, signed_length = 0;
    uint8_t *const payload = sz_model_label_room(&room), *const plaintext = payload + room;
    const size_t size = plaintext_size(), written = write_payload(channel, frame, payload, room);
    enum sz_code code = written == 0 || size > room ? SZ_BUFFER_TOO_SMALL : SZ_OK;
    if (code == SZ_OK) {
        code = sz_signed_write(SZ_BYTES(payload, written), "label", plaintext, room, &signed_length);
    }
    if (code == SZ_OK && !sz_pad(plaintext, signed_length, size)) {
        code = SZ_BUFFER_TOO_SMALL;
    }
    if (code == SZ_OK) {
        code = sz_epoch_seal(SZ_PURPOSE_LABEL, channel->terms.sensor, SZ_BYTES(plaintext, size), out,
                             capacity, length);
    }
    sz_wipe(payload, 2 * room);
    return code;
}
