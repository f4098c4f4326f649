# The lower level of ta/trust: CBOR, COSE, HPKE and the wrapper of the TEE's crypto API, on the software TEE's implementation
# of that API, all of it with sanitizers.
TRUST_SOURCES := $(addprefix $(ROOT)/ta/trust/,cbor_float.c cbor_read.c cbor_walk.c cbor_write.c cose_encrypt.c \
	cose_record.c cose_sign1.c cose_structures.c crypto.c curves.c gcm.c hpke.c kid.c number_window.c)
TRUST_HEADERS := $(wildcard $(ROOT)/ta/trust/*.h $(ROOT)/ta/include/*.h $(ROOT)/ta/soft/include/*.h trust_*.h)
TRUST_INCLUDES := -I$(ROOT)/ta/include -I$(ROOT)/ta/soft/include
TRUST_ASAN := $(patsubst $(ROOT)/ta/%.c,$(OUT)/asan/%.o,$(TRUST_SOURCES))
TRUST_TEE := $(abspath $(ROOT)/build/asan/libtee-internal.a)

# As in the TA: nothing from the C library but string.h.
$(OUT)/asan/trust/%.o: $(ROOT)/ta/trust/%.c $(TRUST_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ASAN) -ffreestanding $(TRUST_INCLUDES) -c $< -o $@

$(OUT)/asan/trust_%.o: trust_%.c $(TRUST_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ASAN) -D_DEFAULT_SOURCE $(TRUST_INCLUDES) -c $< -o $@

$(TRUST_TEE): FORCE
	@$(MAKE) --no-print-directory -s -C $(ROOT)/ta/soft SANITIZE=1 $@

TRUST_VECTORS := $(patsubst %.c,$(OUT)/asan/%.o,$(wildcard trust_vectors*.c))
TRUST_SHARED := $(OUT)/asan/trust_test.o $(OUT)/asan/trust_cbor_rewrite.o $(TRUST_ASAN) $(TRUST_TEE)
$(OUT)/trust_vectors: $(TRUST_VECTORS) $(TRUST_SHARED)
	$(CC) $(CFLAGS_ASAN) $^ -lcrypto -o $@

# The vectors are JSON: a script makes lines of them, the program reads those.
$(OUT)/trust_vectors_test: $(OUT)/trust_vectors vectors.mjs trust.mk
	@printf '#!/bin/sh\nset -e\nlines=$$(mktemp)\ntrap "rm -f $$lines" EXIT\nnode %s "$$lines"\n%s <"$$lines"\n' \
		'$(abspath vectors.mjs)' '$(abspath $(OUT)/trust_vectors)' >$@
	@chmod +x $@

TRUST_TESTS := $(addprefix $(OUT)/,trust_cbor_test trust_crypto_test trust_cose_test trust_cose_forms_test trust_window_test)
$(OUT)/trust_cose_test $(OUT)/trust_cose_forms_test: $(OUT)/asan/trust_cose_samples.o
$(TRUST_TESTS): $(OUT)/%: $(OUT)/asan/%.o $(TRUST_SHARED)
	$(CC) $(CFLAGS_ASAN) $^ -lcrypto -lpthread -o $@
TESTS += $(TRUST_TESTS)

# The other end for test/vectors-c.test.ts.
$(OUT)/trust_peer: $(OUT)/asan/trust_peer.o $(TRUST_SHARED)
	$(CC) $(CFLAGS_ASAN) $^ -lcrypto -o $@

PROGRAMS += $(OUT)/trust_vectors $(OUT)/trust_peer
TESTS += $(OUT)/trust_vectors_test

check-trust: $(TRUST_TESTS) $(OUT)/trust_vectors_test $(OUT)/trust_peer
	@set -e; for test in $(TRUST_TESTS) $(OUT)/trust_vectors_test; do $$test; done
.PHONY: check-trust

FORCE:
.PHONY: FORCE
