/* OFFER, ZONE_OFFER: a sensor opens a channel, to this device or to all devices of a zone. */
#include "trust/boot.h"
#include "trust/calendar.h"
#include "trust/call.h"
#include "trust/cbor_read.h"
#include "trust/channel.h"
#include "trust/cose_encrypt.h"
#include "trust/member_message.h"
#include "trust/members_seen.h"
#include "trust/record_key.h"
#include "trust/signed.h"
#include "trust/state.h"
#include "trust/statistics.h"

#include <string.h>

enum { OFFER_PLAINTEXT_MAX = 256 };

struct offer {
    uint8_t id[SZ_CHANNEL_ID_SIZE];
    uint8_t secret[SZ_KEY_SIZE];
    struct sz_input_shape shape;
    struct sz_roster_order roster;
    uint64_t counter, model, time;
};

static enum sz_code read_offer(struct sz_bytes plaintext, struct offer *out)
{
    struct sz_cbor_reader r = sz_cbor_reader(plaintext);
    const enum sz_code code = sz_cbor_check(plaintext);
    const uint8_t *id, *secret;
    size_t pairs;
    if (code != SZ_OK) {
        return code;
    }
    pairs = sz_cbor_map(&r);
    sz_cbor_key(&r, 1);
    id = sz_cbor_bstr_of(&r, SZ_CHANNEL_ID_SIZE);
    sz_cbor_key(&r, 2);
    secret = sz_cbor_bstr_of(&r, SZ_KEY_SIZE);
    sz_cbor_key(&r, 3);
    sz_input_shape_read(&r, &out->shape);
    sz_cbor_key(&r, 4);
    out->counter = sz_cbor_uint(&r);
    sz_cbor_key(&r, 5);
    out->roster.version = sz_cbor_uint(&r);
    sz_cbor_key(&r, 6);
    out->model = sz_cbor_uint(&r);
    sz_cbor_key(&r, 7);
    out->time = sz_cbor_uint(&r);
    if (pairs != 7u + sz_witness_read_generation(&r, 8, &out->roster)) {
        sz_cbor_fail(&r, SZ_MALFORMED);
    }
    if (sz_cbor_done(&r) != SZ_OK) {
        return sz_cbor_error(&r);
    }
    memcpy(out->id, id, SZ_CHANNEL_ID_SIZE);
    memcpy(out->secret, secret, SZ_KEY_SIZE);
    return SZ_OK;
}

/* Whom an offer is for: this device, or a zone that lists it. */
struct audience {
    const char *purpose; /* of its signature and of what is sealed in it */
    uint8_t id[SZ_KID_SIZE];
    const struct sz_zone *zone; /* NULL: this device */
};

/* Opens what was sealed to this boot's prekey for the audience. */
static enum sz_code open_sealed(struct sz_bytes sealed, const uint8_t sensor[SZ_KID_SIZE],
                                const struct audience *audience, struct offer *out)
{
    uint8_t plaintext[OFFER_PLAINTEXT_MAX], aad[64], context[128];
    size_t length = 0;
    enum sz_code code =
        sz_encrypt_open(sealed, &sz_boot()->prekey,
                        sz_hpke_context(audience->purpose, sensor, audience->id,
                                        SZ_BYTES(sz_boot()->nonce, SZ_NONCE16_SIZE), context),
                        sz_purpose_aad(audience->purpose, aad), plaintext, sizeof plaintext, &length);
    if (code == SZ_OK) {
        code = read_offer(SZ_BYTES(plaintext, length), out);
    }
    sz_wipe(plaintext, sizeof plaintext);
    return code;
}

static enum sz_code check_offer(const uint8_t sensor[SZ_KID_SIZE], const struct audience *audience,
                                const struct offer *offer)
{
    enum sz_code code = sz_seen_check(sensor, offer->counter);
    if (code == SZ_OK) {
        code = sz_witness_check(offer->roster, offer->model);
    }
    if (code == SZ_OK && audience->zone != NULL && sz_roster_older(offer->roster, audience->zone->since)) {
        code = SZ_STALE_ROSTER; /* it may be sealed to a device that has left the zone since */
    }
    if (code == SZ_OK && sz_model_active() && !sz_input_shape_equal(&offer->shape, sz_model_input())) {
        code = SZ_BAD_FRAME;
    }
    return code;
}

static enum sz_code open_channel(const uint8_t sensor[SZ_KID_SIZE], const struct audience *audience,
                                 const struct offer *offer)
{
    struct sz_channel_terms terms = {
        .zone = audience->zone != NULL,
        .counter = offer->counter,
        .roster = offer->roster,
        .shape = offer->shape,
    };
    enum sz_code code;
    memcpy(terms.id, offer->id, SZ_CHANNEL_ID_SIZE);
    memcpy(terms.sensor, sensor, SZ_KID_SIZE);
    memcpy(terms.audience, audience->id, SZ_KID_SIZE);
    code = sz_record_key(offer->secret, SZ_PURPOSE_FRAME, audience->id, sensor, 0, terms.key);
    if (code == SZ_OK) {
        code = sz_channel_open(&terms);
    }
    sz_wipe(&terms, sizeof terms);
    return code;
}

static enum sz_code accept(const uint8_t sensor[SZ_KID_SIZE], struct sz_bytes sealed,
                           const struct audience *audience, const uint8_t digest[SZ_SHA256_SIZE])
{
    struct offer offer = {0};
    enum sz_code code = open_sealed(sealed, sensor, audience, &offer);
    if (code == SZ_OK) {
        code = check_offer(sensor, audience, &offer);
    }
    if (code == SZ_OK) {
        code = open_channel(sensor, audience, &offer);
    }
    if (code == SZ_OK) {
        sz_seen_note(sensor, offer.counter, digest);
        sz_calendar_offer(offer.time);
        sz_count(SZ_COUNT_OFFERS);
    }
    sz_wipe(&offer, sizeof offer);
    return code;
}

enum sz_code sz_on_offer(struct sz_call *call)
{
    struct audience audience = {.purpose = "offer", .zone = NULL};
    struct sz_sign1 sign1;
    const struct sz_member *member;
    uint8_t digest[SZ_SHA256_SIZE];
    bool again;
    const enum sz_code code = sz_member_message_open(call->message, audience.purpose, SZ_ROLE_SENSOR, &sign1,
                                                     &member, digest, &again);
    if (code != SZ_OK) {
        return code;
    }
    sz_call_return_kid(call, sign1.kid);
    if (again) {
        return SZ_OK; /* retained offers come again on every reconnect */
    }
    memcpy(audience.id, sz_state()->signing.kid, SZ_KID_SIZE);
    return accept(sign1.kid, sign1.payload, &audience, digest);
}

/* CDDL zone-offer: which zone, and what is sealed to its devices. */
static enum sz_code read_zone_offer(struct sz_bytes payload, struct audience *audience,
                                    struct sz_bytes *sealed)
{
    struct sz_cbor_reader r = sz_cbor_reader(payload);
    const enum sz_code code = sz_cbor_check(payload);
    const uint8_t *zone;
    if (code != SZ_OK) {
        return code;
    }
    sz_cbor_map_of(&r, 2);
    sz_cbor_key(&r, 1);
    zone = sz_cbor_bstr_of(&r, SZ_KID_SIZE);
    sz_cbor_key(&r, 2);
    *sealed = sz_cbor_bstr(&r);
    if (sz_cbor_done(&r) != SZ_OK) {
        return sz_cbor_error(&r);
    }
    memcpy(audience->id, zone, SZ_KID_SIZE);
    audience->zone = sz_roster_zone(zone);
    return audience->zone == NULL ? SZ_NOT_IN_ZONE : SZ_OK;
}

enum sz_code sz_on_zone_offer(struct sz_call *call)
{
    struct audience audience = {.purpose = "zone-offer"};
    struct sz_bytes sealed = {0};
    struct sz_sign1 sign1;
    const struct sz_member *member;
    uint8_t digest[SZ_SHA256_SIZE];
    bool again;
    enum sz_code code = sz_member_message_open(call->message, audience.purpose, SZ_ROLE_SENSOR, &sign1,
                                               &member, digest, &again);
    if (code != SZ_OK) {
        return code;
    }
    sz_call_return_kid(call, sign1.kid);
    code = read_zone_offer(sign1.payload, &audience, &sealed);
    if (code != SZ_OK || again) {
        return code;
    }
    return accept(sign1.kid, sealed, &audience, digest);
}
