#ifndef TRUST_CBOR_REWRITE_H
#define TRUST_CBOR_REWRITE_H

#include "trust/cbor_read.h"
#include "trust/cbor_write.h"

/* Reads one item of any kind with the typed getters and writes it again. */
void trust_cbor_rewrite(struct sz_cbor_reader *r, struct sz_cbor_writer *w);

#endif
