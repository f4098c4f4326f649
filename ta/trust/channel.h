/* Channels: the keys under which sensors seal frames, in memory only. At most two per sensor: the one in use
 * and its successor, whose first good record closes the other. Channels are static; their last labels (at
 * most 8 sealed labels each) are on the heap, all of them together bounded, so that frames cannot take the
 * room that a roster or a model needs. A channel's audience is the device that it was offered to, or a zone.
 */
#ifndef SZ_CHANNEL_H
#define SZ_CHANNEL_H

#include "models/model.h"
#include "trust/cose_record.h"
#include "trust/number_window.h"
#include "trust/roster_order.h"

enum {
    SZ_MAX_CHANNELS = 256,
    SZ_CACHED_LABELS = 8,
    SZ_CACHED_BYTES = 768 * 1024, /* of labels, all channels together */
};

/* A label that went out, for the frame that comes again. */
struct sz_sent_label {
    uint64_t number;
    uint64_t kept_as;               /* how many labels were kept before it */
    uint8_t frame_tag[SZ_TAG_SIZE]; /* the frame record's: under one key and number it stands for the frame */
    size_t length;
    uint8_t record[];
};

/* What an offer says of a channel. */
struct sz_channel_terms {
    uint8_t id[SZ_CHANNEL_ID_SIZE];
    uint8_t sensor[SZ_KID_SIZE];
    uint8_t audience[SZ_KID_SIZE]; /* the device's kid, or a zone's id */
    bool zone;                     /* which of both */
    uint8_t key[SZ_AES_KEY_SIZE];
    uint64_t counter;              /* of the offer */
    struct sz_roster_order roster; /* that the sensor knew */
    struct sz_input_shape shape;
};

struct sz_channel {
    bool open;
    struct sz_channel_terms terms;
    struct sz_number_window numbers;
    struct sz_sent_label *labels[SZ_CACHED_LABELS]; /* secure heap; NULL: none */
    uint32_t next_label;
};

/* Opens a channel, replacing an unused successor of the same sensor. LIMIT_REACHED; MALFORMED for the id of
 * another one. */
enum sz_code sz_channel_open(const struct sz_channel_terms *terms);

struct sz_channel *sz_channel_find(const uint8_t id[SZ_CHANNEL_ID_SIZE]);

/* True if a frame with this number may still be answered. */
bool sz_channel_takes(const struct sz_channel *channel, uint64_t number);

/* An authentic record with this number arrived: the number is used up, and older channels of the sensor
 * close. */
void sz_channel_take(struct sz_channel *channel, uint64_t number);

/* The label sent for this number, or NULL if it is not among the last ones. */
const struct sz_sent_label *sz_channel_label(const struct sz_channel *channel, uint64_t number);

/* Remembers a label in place of the channel's eighth last, and of the oldest of all channels where all of
 * them are more than SZ_CACHED_BYTES or memory is short. Without memory for it the frame cannot be repeated,
 * which is all. */
void sz_channel_keep_label(struct sz_channel *channel, uint64_t number, const uint8_t frame_tag[SZ_TAG_SIZE],
                           struct sz_bytes record);

/* Gives the oldest of all labels' memory back. False: there is none. */
bool sz_channel_forget_oldest(void);

/* Closes what a roster change ends: channels of sensors that may not send any more, and those of zones that
 * this device is not in any more or that a device has left, which keeps their keys. */
void sz_channel_close_unauthorised(void);
void sz_channel_close_all(void);

#endif
