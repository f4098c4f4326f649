/* Sessions of clients with the TA: one connection each. */
#ifndef SZ_SESSION_H
#define SZ_SESSION_H

#include "budget.h"

/* Serves until the supervisor is gone. One thread: while the TA works for one session the others wait, as
 * with a single-instance TA in OP-TEE. */
void sz_serve(const struct sz_budget *budget);

/* The connection of the client that the TA works for just now, or -1. */
int sz_client_connection(void);

#endif
