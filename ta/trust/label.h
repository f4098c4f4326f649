/* Labels: what the network saw, signed for rules hosts, padded to one size per model, sealed under the epoch.
 */
#ifndef SZ_LABEL_H
#define SZ_LABEL_H

#include "trust/channel.h"

/* What a label says of the frame it answers. */
struct sz_frame_facts {
    uint64_t number;
    uint64_t time; /* the sensor's, milliseconds */
    uint8_t tag[SZ_TAG_SIZE];
    uint8_t id[8];
};

/* Most bytes of a sealed label of the running model. */
size_t sz_label_size_most(void);

/* Makes the label of the last inference. out: the sealed record, *length bytes. */
enum sz_code sz_label_seal(const struct sz_channel *channel, const struct sz_frame_facts *frame, uint8_t *out,
                           size_t capacity, size_t *length);

#endif
