/* Which record numbers of a channel were taken.
 *
 * Receipts name them, so that a sensor knows what was lost between others. A sensor's frames come to its own
 * device in order, so that only higher numbers are taken. Those of a zone
 * are dealt out to several devices, and one that comes again may go to another device than before, behind
 * higher numbers: there a number is taken once if it is among the 127 below the highest, as IPsec does it
 * (RFC 4303, section 3.4.3; RFC 6479). */
#ifndef SZ_NUMBER_WINDOW_H
#define SZ_NUMBER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum { SZ_WINDOW_NUMBERS = 128, SZ_WINDOW_BYTES = SZ_WINDOW_NUMBERS / 8 };

struct sz_number_window {
    uint64_t last;                          /* the highest taken, 0: none */
    uint64_t taken[SZ_WINDOW_NUMBERS / 64]; /* bit i mod 64 of i div 64: last - i was taken */
};

/* True if this number may be taken. */
bool sz_window_open(const struct sz_number_window *window, uint64_t number, bool out_of_order);

/* Takes it. */
void sz_window_take(struct sz_number_window *window, uint64_t number);

/* CDDL receipt, 5. */
void sz_window_write(const struct sz_number_window *window, uint8_t out[SZ_WINDOW_BYTES]);

#endif
