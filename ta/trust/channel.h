/* Channels: the keys under which sensors seal frames, in memory only. At most two per sensor: the one in use
 * and its successor, whose first good record closes the other. Channels are static; their last labels (at
 * most 8 sealed labels each) are on the heap, all of them together bounded, so that frames cannot take the
 * room that a roster or a model needs. */
#ifndef SZ_CHANNEL_H
#define SZ_CHANNEL_H

#include "models/model.h"
#include "trust/cose_record.h"

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

struct sz_channel {
    bool open;
    uint8_t id[SZ_CHANNEL_ID_SIZE];
    uint8_t sensor[SZ_KID_SIZE];
    uint8_t key[SZ_AES_KEY_SIZE];
    uint64_t counter; /* of its offer */
    uint64_t last;    /* number of the last frame accepted */
    struct sz_input_shape shape;
    struct sz_sent_label *labels[SZ_CACHED_LABELS]; /* secure heap; NULL: none */
    uint32_t next_label;
};

/* Opens a channel, replacing an unused successor of the same sensor. LIMIT_REACHED. */
enum sz_code sz_channel_open(const uint8_t sensor[SZ_KID_SIZE], const uint8_t id[SZ_CHANNEL_ID_SIZE],
                             const uint8_t key[SZ_AES_KEY_SIZE], uint64_t counter,
                             const struct sz_input_shape *shape);

struct sz_channel *sz_channel_find(const uint8_t id[SZ_CHANNEL_ID_SIZE]);

/* An authentic record with this number arrived: the number is used up, and older channels of the sensor
 * close. */
void sz_channel_advance(struct sz_channel *channel, uint64_t number);

/* The label sent for this number, or NULL if it is not among the last ones. */
const struct sz_sent_label *sz_channel_label(const struct sz_channel *channel, uint64_t number);

/* Remembers a label in place of the channel's eighth last, and of the oldest of all channels where all of
 * them are more than SZ_CACHED_BYTES or memory is short. Without memory for it the frame cannot be repeated,
 * which is all. */
void sz_channel_keep_label(struct sz_channel *channel, uint64_t number, const uint8_t frame_tag[SZ_TAG_SIZE],
                           struct sz_bytes record);

/* Gives the oldest of all labels' memory back. False: there is none. */
bool sz_channel_forget_oldest(void);

/* Closes the channels of sensors that may not send any more (after a roster change). */
void sz_channel_close_unauthorised(void);
void sz_channel_close_all(void);

#endif
