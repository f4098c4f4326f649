/* How well this device can keep a secret, as far as a TA can find out. Each item says whether it was measured
 * or is only asserted (ARCHITECTURE.md, SECURITY.md). */
#ifndef SZ_SECURITY_LEVEL_H
#define SZ_SECURITY_LEVEL_H

#include "trust/cbor_write.h"

/* Finds out once, at start. */
void sz_security_level_find(void);

uint32_t sz_security_level(void); /* CDDL security-level */

/* Writes the items map of the evidence. */
void sz_security_items_write(struct sz_cbor_writer *w);

#endif
