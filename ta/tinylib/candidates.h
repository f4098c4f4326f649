/* Detections before suppression: the best ones so far, in the caller's work buffer. */
#ifndef SZ_TINYLIB_CANDIDATES_H
#define SZ_TINYLIB_CANDIDATES_H

#include <stdint.h>

/* Of all boxes above the minimal score so many of the best take part in the suppression. */
#define SZ_MAX_CANDIDATES 256u

struct sz_candidate {
    float score;
    uint16_t class_index;
    uint16_t suppressed;
    float box[4]; /* x_min, y_min, x_max, y_max */
};

struct sz_candidate_list {
    uint32_t count;
    struct sz_candidate best[SZ_MAX_CANDIDATES]; /* by falling score */
};

#endif
