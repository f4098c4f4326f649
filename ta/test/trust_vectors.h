/* One function for each kind of line that vectors.mjs writes. Each fails by CHECK, and returns true where the
 * vector is one that must be refused. */
#ifndef TRUST_VECTORS_H
#define TRUST_VECTORS_H

#include "trust_test.h"

bool vector_gcm(const struct trust_line *line);
bool vector_x25519(const struct trust_line *line);
bool vector_ed25519(const struct trust_line *line);
bool vector_hmac(const struct trust_line *line);
bool vector_hkdf(const struct trust_line *line);
bool vector_hpke(const struct trust_line *line);
bool vector_hpke_schedule(const struct trust_line *line);
bool vector_cbor(const struct trust_line *line);
bool vector_cose(const struct trust_line *line);

#endif
