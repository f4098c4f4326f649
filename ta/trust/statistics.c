#include "trust/statistics.h"
#include "trust/boot.h"

struct sz_statistics sz_statistics;

void sz_count(enum sz_counter counter)
{
    sz_statistics.counters[counter]++;
}

uint64_t sz_stage_done(enum sz_stage stage, uint64_t began)
{
    const uint64_t now = sz_uptime_ms();
    sz_statistics.stage_ms[stage] += now - began;
    sz_statistics.stage_count[stage]++;
    return now;
}
