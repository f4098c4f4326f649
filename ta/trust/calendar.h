/* What the TA knows of the date. It has no trusted clock: the calendar is a floor, the latest of build time,
 * times signed by an owner, and times in sensors' offers that are within a day of the owner's last. An
 * expired member may thus still be accepted for a while; one whose end the floor has passed never is. */
#ifndef SZ_CALENDAR_H
#define SZ_CALENDAR_H

#include <stdint.h>

void sz_calendar_owner(uint64_t seconds);
void sz_calendar_offer(uint64_t seconds);
uint64_t sz_calendar_floor(void);

#endif
