#include "trust/channel.h"
#include "trust/roster.h"

#include <string.h>
#include <tee_internal_api.h>

static struct sz_channel channels[SZ_MAX_CHANNELS];
static size_t cached_bytes;
static uint64_t labels_kept;

static void forget(struct sz_sent_label **label)
{
    if (*label != NULL) {
        cached_bytes -= (*label)->length;
        TEE_Free(*label);
        *label = NULL;
    }
}

bool sz_channel_forget_oldest(void)
{
    struct sz_sent_label **oldest = NULL;
    for (uint32_t i = 0; i < SZ_MAX_CHANNELS * SZ_CACHED_LABELS; i++) {
        struct sz_sent_label **const label = &channels[i / SZ_CACHED_LABELS].labels[i % SZ_CACHED_LABELS];
        if (*label != NULL && (oldest == NULL || (*label)->kept_as < (*oldest)->kept_as)) {
            oldest = label;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    forget(oldest);
    return true;
}

static void close_channel(struct sz_channel *channel)
{
    for (uint32_t i = 0; i < SZ_CACHED_LABELS; i++) {
        forget(&channel->labels[i]);
    }
    sz_wipe(channel, sizeof *channel);
}

static bool belongs(const struct sz_channel *channel, const uint8_t sensor[SZ_KID_SIZE])
{
    return channel->open && memcmp(channel->terms.sensor, sensor, SZ_KID_SIZE) == 0;
}

/* A free place; where the sensor has two channels already, that of the later one, which no frame has used. */
static struct sz_channel *place(const uint8_t sensor[SZ_KID_SIZE])
{
    struct sz_channel *unused = NULL, *later = NULL;
    uint32_t own = 0;
    for (uint32_t i = 0; i < SZ_MAX_CHANNELS; i++) {
        struct sz_channel *const channel = &channels[i];
        if (belongs(channel, sensor)) {
            own++;
            later = later == NULL || channel->terms.counter > later->terms.counter ? channel : later;
        } else if (!channel->open && unused == NULL) {
            unused = channel;
        }
    }
    return own < 2 ? unused : later;
}

enum sz_code sz_channel_open(const struct sz_channel_terms *terms)
{
    struct sz_channel *const channel = place(terms->sensor);
    if (channel == NULL) {
        return SZ_LIMIT_REACHED;
    }
    if (sz_channel_find(terms->id) != NULL) {
        return SZ_MALFORMED; /* ids are random: a second one is a mistake or an attempt */
    }
    close_channel(channel);
    channel->open = true;
    channel->terms = *terms;
    return SZ_OK;
}

struct sz_channel *sz_channel_find(const uint8_t id[SZ_CHANNEL_ID_SIZE])
{
    for (uint32_t i = 0; i < SZ_MAX_CHANNELS; i++) {
        if (channels[i].open && memcmp(channels[i].terms.id, id, SZ_CHANNEL_ID_SIZE) == 0) {
            return &channels[i];
        }
    }
    return NULL;
}

bool sz_channel_takes(const struct sz_channel *channel, uint64_t number)
{
    return sz_window_open(&channel->numbers, number, channel->terms.zone);
}

void sz_channel_take(struct sz_channel *channel, uint64_t number)
{
    if (channel->numbers.last == 0) {
        for (uint32_t i = 0; i < SZ_MAX_CHANNELS; i++) {
            if (belongs(&channels[i], channel->terms.sensor) &&
                channels[i].terms.counter < channel->terms.counter) {
                close_channel(&channels[i]);
            }
        }
    }
    sz_window_take(&channel->numbers, number);
}

const struct sz_sent_label *sz_channel_label(const struct sz_channel *channel, uint64_t number)
{
    for (uint32_t i = 0; i < SZ_CACHED_LABELS; i++) {
        if (channel->labels[i] != NULL && channel->labels[i]->number == number) {
            return channel->labels[i];
        }
    }
    return NULL;
}

void sz_channel_keep_label(struct sz_channel *channel, uint64_t number, const uint8_t frame_tag[SZ_TAG_SIZE],
                           struct sz_bytes record)
{
    struct sz_sent_label *label = NULL;
    forget(&channel->labels[channel->next_label]);
    while (cached_bytes > SZ_CACHED_BYTES - record.length) { /* a label is never that long: SZ_REPLY_MAX */
        (void)sz_channel_forget_oldest();
    }
    do {
        label = TEE_Malloc(sizeof *label + record.length, TEE_MALLOC_FILL_ZERO);
    } while (label == NULL && sz_channel_forget_oldest());
    if (label == NULL) {
        return;
    }
    channel->labels[channel->next_label] = label;
    cached_bytes += record.length;
    label->kept_as = labels_kept++;
    label->number = number;
    memcpy(label->frame_tag, frame_tag, SZ_TAG_SIZE);
    memcpy(label->record, record.at, record.length);
    label->length = record.length;
    channel->next_label = (channel->next_label + 1) % SZ_CACHED_LABELS;
}

static bool in_force(const struct sz_channel_terms *terms)
{
    const struct sz_zone *const zone = sz_roster_zone(terms->audience);
    return zone != NULL && !sz_roster_older(terms->roster, zone->since);
}

void sz_channel_close_unauthorised(void)
{
    for (uint32_t i = 0; i < SZ_MAX_CHANNELS; i++) {
        const struct sz_channel_terms *const terms = &channels[i].terms;
        const struct sz_member *member;
        if (channels[i].open && (sz_roster_authorise(terms->sensor, SZ_ROLE_SENSOR, &member) != SZ_OK ||
                                 (terms->zone && !in_force(terms)))) {
            close_channel(&channels[i]);
        }
    }
}

void sz_channel_close_all(void)
{
    for (uint32_t i = 0; i < SZ_MAX_CHANNELS; i++) {
        close_channel(&channels[i]);
    }
}
