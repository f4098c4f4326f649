#include "trust/calendar.h"

enum { DAY = 24 * 60 * 60 };

/* 2026-11-01T00:00:00Z; a build may set a later one. */
#ifndef SZ_BUILD_TIME
#define SZ_BUILD_TIME 1793491200u
#endif

static uint64_t owner, offered;

void sz_calendar_owner(uint64_t seconds)
{
    owner = seconds > owner ? seconds : owner;
}

void sz_calendar_offer(uint64_t seconds)
{
    const uint64_t base = owner > SZ_BUILD_TIME ? owner : SZ_BUILD_TIME;
    if (seconds <= base + DAY && seconds > offered) {
        offered = seconds;
    }
}

uint64_t sz_calendar_floor(void)
{
    uint64_t floor = SZ_BUILD_TIME;
    floor = owner > floor ? owner : floor;
    return offered > floor ? offered : floor;
}
