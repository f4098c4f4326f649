/* Counters and stage times for telemetry. Nothing here depends on what was seen. */
#ifndef SZ_STATISTICS_H
#define SZ_STATISTICS_H

#include <stdint.h>

enum sz_counter {
    SZ_COUNT_FRAMES,
    SZ_COUNT_LABELS,
    SZ_COUNT_OFFERS,
    SZ_COUNT_REFUSED,
    SZ_COUNT_REPEATS,
    SZ_COUNTERS
};
enum sz_stage { SZ_STAGE_OPEN, SZ_STAGE_SEAL, SZ_STAGE_INFER, SZ_STAGES };

struct sz_statistics {
    uint64_t counters[SZ_COUNTERS];
    uint64_t
        stage_ms[SZ_STAGES]; /* sums of clock differences: each is off by up to 1 ms, their mean is not */
    uint64_t stage_count[SZ_STAGES];
};

extern struct sz_statistics sz_statistics;

void sz_count(enum sz_counter counter);

/* Adds the time since `began` (sz_uptime_ms()) and returns now. */
uint64_t sz_stage_done(enum sz_stage stage, uint64_t began);

#endif
