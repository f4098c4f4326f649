#include "trust/number_window.h"

bool sz_window_open(const struct sz_number_window *window, uint64_t number, bool out_of_order)
{
    uint64_t below;
    if (number > window->last) {
        return true;
    }
    below = window->last - number;
    return out_of_order && number > 0 && below < SZ_WINDOW_NUMBERS &&
           (window->taken[below / 64] >> (below % 64) & 1) == 0;
}

/* The window's upper end moves up by `count`, at least 1. */
static void move(struct sz_number_window *window, uint64_t count)
{
    if (count >= SZ_WINDOW_NUMBERS) {
        window->taken[0] = window->taken[1] = 0;
    } else if (count >= 64) {
        window->taken[1] = window->taken[0] << (count - 64);
        window->taken[0] = 0;
    } else {
        window->taken[1] = window->taken[1] << count | window->taken[0] >> (64 - count);
        window->taken[0] <<= count;
    }
}

void sz_window_take(struct sz_number_window *window, uint64_t number)
{
    if (number > window->last) {
        move(window, number - window->last);
        window->last = number;
    }
    if (window->last - number < SZ_WINDOW_NUMBERS) {
        window->taken[(window->last - number) / 64] |= UINT64_C(1) << ((window->last - number) % 64);
    }
}

void sz_window_write(const struct sz_number_window *window, uint8_t out[SZ_WINDOW_BYTES])
{
    for (uint32_t i = 0; i < SZ_WINDOW_BYTES; i++) {
        out[i] = (uint8_t)(window->taken[i / 8] >> (i % 8 * 8));
    }
}
