/* Results as a label carries them (CDDL results). */
#ifndef SZ_RESULTS_H
#define SZ_RESULTS_H

#include "models/infer.h"

void sz_results_write(const struct sz_slot *slot, const struct sz_results *results,
                      struct sz_cbor_writer *writer);

/* Most bytes of it. */
size_t sz_results_bound(const struct sz_container *container);

#endif
