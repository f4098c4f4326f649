/* Which numbers of a channel are taken: against a list of those that were, in orders as a broker may deliver
 * them; and what a channel takes in memory. */
#include "trust/channel.h"
#include "trust/zones.h"
#include "trust_test.h"

#include <string.h>

enum { NUMBERS = 4096, ROUNDS = 200, STEPS = 2000 };

static uint64_t seed = 1;

static uint64_t drawn(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

static void check_window(const struct sz_number_window *window, const bool taken[NUMBERS])
{
    uint8_t bits[SZ_WINDOW_BYTES];
    sz_window_write(window, bits);
    for (uint64_t i = 0; i < SZ_WINDOW_NUMBERS; i++) {
        const bool told = (bits[i / 8] >> (i % 8) & 1) != 0;
        CHECK(told == (i < window->last && taken[window->last - i]));
    }
}

static void compare_with_list(bool out_of_order)
{
    static bool taken[NUMBERS];
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t span = 1 + drawn(round % 2 == 0 ? 8 : 300);
        struct sz_number_window window = {0};
        uint64_t last = 0;
        memset(taken, 0, sizeof taken);
        for (int step = 0; step < STEPS; step++) {
            const uint64_t top = last + span < NUMBERS ? last + span : NUMBERS - 1;
            const uint64_t number = top > 2 * span ? top - drawn(2 * span) : drawn(top + 1);
            const bool higher = number > last;
            const bool behind =
                out_of_order && number > 0 && !higher && last - number < SZ_WINDOW_NUMBERS && !taken[number];
            CHECK(sz_window_open(&window, number, out_of_order) == (higher || behind));
            if (higher || behind) {
                sz_window_take(&window, number);
                taken[number] = true;
                last = higher ? number : last;
            }
            CHECK(window.last == last);
        }
        check_window(&window, taken);
    }
}

static void check_ends(void)
{
    struct sz_number_window window = {0};
    CHECK(!sz_window_open(&window, 0, true) && !sz_window_open(&window, 0, false));
    sz_window_take(&window, SZ_RECORD_LAST_NUMBER);
    CHECK(!sz_window_open(&window, SZ_RECORD_LAST_NUMBER, true));
    CHECK(sz_window_open(&window, SZ_RECORD_LAST_NUMBER - 127, true));
    CHECK(!sz_window_open(&window, SZ_RECORD_LAST_NUMBER - 128, true));
    CHECK(!sz_window_open(&window, SZ_RECORD_LAST_NUMBER - 1, false));
    sz_window_take(&window, SZ_RECORD_LAST_NUMBER - 127);
    CHECK(!sz_window_open(&window, SZ_RECORD_LAST_NUMBER - 127, true));
}

int main(void)
{
    trust_test_now = "the ends of a window";
    check_ends();
    trust_test_now = "in order";
    compare_with_list(false);
    trust_test_now = "out of order";
    compare_with_list(true);
    trust_test_now = "bytes of a channel";
    printf("a channel takes %zu bytes, all %d of them %zu; the zones of a roster %zu\n",
           sizeof(struct sz_channel), SZ_MAX_CHANNELS, SZ_MAX_CHANNELS * sizeof(struct sz_channel),
           sizeof(struct sz_zones));
    CHECK(sizeof(void *) != 8 || sizeof(struct sz_channel) == 200); /* docs/zones.md */
    return 0;
}
