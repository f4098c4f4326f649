#define _GNU_SOURCE
#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "tee.h"

void TEE_GenerateRandom(void *randomBuffer, size_t randomBufferLen)
{
    uint8_t *bytes = randomBuffer;
    size_t done = 0;

    while (done < randomBufferLen) {
        ssize_t n = getrandom(bytes + done, randomBufferLen - done, 0);

        if (n < 0 && errno != EINTR)
            sz_panic(TEE_ERROR_GENERIC, "no random numbers");
        if (n > 0)
            done += (size_t)n;
    }
}

static void read_clock(clockid_t clock, TEE_Time *result)
{
    struct timespec now = {0, 0};

    clock_gettime(clock, &now);
    result->seconds = (uint32_t)now.tv_sec;
    result->millis = (uint32_t)(now.tv_nsec / 1000000);
}

void TEE_GetSystemTime(TEE_Time *time)
{
    read_clock(CLOCK_MONOTONIC, time);
}

void TEE_GetREETime(TEE_Time *time)
{
    read_clock(CLOCK_REALTIME, time);
}
