/* The folder a software TEE lives in: socket, storage, the key that stands for the hardware unique key.
 * Everything in it is the user's own (0700, 0600). */
#ifndef SZ_HOME_H
#define SZ_HOME_H

#include <stdint.h>

#define SZ_HUK_SIZE 16

/* Makes what is missing in `directory` and changes to it. Exits with a line on standard error when that is
 * impossible, and quietly with 0 when another supervisor has it. Returns the descriptor that holds the lock.
 */
int sz_home_take(const char *directory);

/* Reads the key, made at random on the first start. */
void sz_home_huk(uint8_t huk[SZ_HUK_SIZE]);

/* Listens on tee.sock in the current folder. */
int sz_home_listen(void);

/* Whether the socket in the folder is still the one that was made: who deletes the folder ends the TEE. */
int sz_home_still_ours(void);

_Noreturn void sz_fail(const char *what);

#endif
