# The tests of the software TEE's internal API and of ta/trust on it, for aarch64 under qemu-user, with Debian's libcrypto for arm64:
# unpacked, not installed. `make check-aarch64-crypto`, part of check-aarch64 (aarch64.mk).
AARCH64_OPENSSL := $(ROOT)/build/openssl-arm64
AARCH64_LIBRARIES := $(AARCH64_OPENSSL)/files/usr/lib/aarch64-linux-gnu
$(AARCH64_OPENSSL)/versions:
	node $(ROOT)/scripts/unpack-debian.mjs $(AARCH64_OPENSSL) own arm64 libssl-dev 'libssl3t64|libssl3' >/dev/null

AARCH64_SOFT_FLAGS := $(AARCH64_TEST_FLAGS) -I$(ROOT)/ta/soft/include -I$(ROOT)/ta/soft -I$(AARCH64_OPENSSL)/files/usr/include \
	-I$(AARCH64_OPENSSL)/files/usr/include/aarch64-linux-gnu
AARCH64_SOFT := $(patsubst $(ROOT)/ta/%.c,$(AARCH64_OUT)/ta/%.o,$(wildcard $(ROOT)/ta/soft/internal/*.c))
$(AARCH64_SOFT) $(AARCH64_OUT)/ta/soft/test/internal_test.o: $(AARCH64_OUT)/ta/%.o: $(ROOT)/ta/%.c $(AARCH64_OPENSSL)/versions \
		| aarch64-tools
	@mkdir -p $(@D)
	$(AARCH64_CROSS)gcc $(AARCH64_SOFT_FLAGS) -c $< -o $@

AARCH64_TRUST_TESTS := trust_crypto_test trust_cose_test trust_cose_forms_test trust_vectors
AARCH64_TRUST_PROGRAMS := $(addprefix $(AARCH64_OUT)/,$(AARCH64_TRUST_TESTS))
$(AARCH64_OUT)/trust_%.o: trust_%.c $(AARCH64_OPENSSL)/versions | aarch64-tools
	@mkdir -p $(@D)
	$(AARCH64_CROSS)gcc $(AARCH64_SOFT_FLAGS) -c $< -o $@
$(AARCH64_OUT)/trust_cose_test $(AARCH64_OUT)/trust_cose_forms_test: $(AARCH64_OUT)/trust_cose_samples.o
$(AARCH64_OUT)/trust_vectors: $(patsubst %.c,$(AARCH64_OUT)/%.o,$(filter-out trust_vectors.c,$(wildcard trust_vectors*.c)))
$(AARCH64_TRUST_PROGRAMS): %: %.o $(AARCH64_OUT)/trust_test.o $(AARCH64_OUT)/trust_cbor_rewrite.o \
		$(call aarch64_objects,$(TRUST_SOURCES)) $(AARCH64_SOFT)
$(AARCH64_OUT)/soft_internal_test: $(AARCH64_OUT)/ta/soft/test/internal_test.o $(AARCH64_SOFT)
$(AARCH64_TRUST_PROGRAMS) $(AARCH64_OUT)/soft_internal_test:
	$(AARCH64_CROSS)gcc $(filter %.o,$^) -L$(AARCH64_LIBRARIES) -lcrypto -lpthread -o $@

$(AARCH64_OUT)/trust_vectors.lines: vectors.mjs
	@mkdir -p $(@D)
	node vectors.mjs $@

check-aarch64-crypto: $(AARCH64_TRUST_PROGRAMS) $(AARCH64_OUT)/soft_internal_test $(AARCH64_OUT)/trust_vectors.lines
	@set -e; for test in $(AARCH64_TRUST_TESTS) soft_internal_test; do echo "== $$test"; \
		$(AARCH64_QEMU) -E LD_LIBRARY_PATH=$(abspath $(AARCH64_LIBRARIES)) $(AARCH64_OUT)/$$test <$(AARCH64_OUT)/trust_vectors.lines; done

.PHONY: check-aarch64-crypto
-include $(AARCH64_SOFT:.o=.d) $(wildcard $(AARCH64_OUT)/ta/soft/test/*.d)
