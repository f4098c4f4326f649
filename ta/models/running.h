/* Between loading and running. */
#ifndef SZ_RUNNING_H
#define SZ_RUNNING_H

#include "models/slot.h"

/* Takes over the slot's buffers; the former model's are wiped and freed. */
void sz_running_replace(const struct sz_slot *slot);

#endif
