# The TA for aarch64: all of it must compile there, and its C tests run under qemu-user: `make check-aarch64`. Those that
# need libcrypto are in trust_aarch64.mk; the whole TA runs there in test/arm64.
AARCH64_CROSS ?= aarch64-linux-gnu-
AARCH64_QEMU ?= qemu-aarch64 -L /usr/aarch64-linux-gnu
AARCH64_OUT := $(OUT)/aarch64

# Strictly aligned and without a C library, as OP-TEE's TA dev kit compiles it; the engine with its own flags (ta/sub.mk).
AARCH64_FLAGS_ALL := -std=c11 -g $(WARNINGS) -mstrict-align -I$(ROOT)/ta
AARCH64_TA_FLAGS := $(AARCH64_FLAGS_ALL) -Os -fpic -ffreestanding -I$(ROOT)/ta/include -I$(ROOT)/ta/soft/include
AARCH64_ENGINE_FLAGS := $(AARCH64_FLAGS_ALL) -O3 -fpic -ffreestanding -ffp-contract=off -fno-math-errno
AARCH64_TEST_FLAGS := $(AARCH64_FLAGS_ALL) -O1 -ffp-contract=off -D_DEFAULT_SOURCE -I$(ROOT)/ta/include -MMD -MP

AARCH64_ENGINE_SOURCES := $(wildcard $(ROOT)/ta/tinylib/*.c $(ROOT)/ta/tinylib/*/*.c $(ROOT)/ta/tinylibm/*.c)
AARCH64_TRUSTED_SOURCES := $(wildcard $(ROOT)/ta/*.c $(ROOT)/ta/trust/*.c $(ROOT)/ta/models/*.c)
aarch64_objects = $(patsubst $(ROOT)/ta/%.c,$(AARCH64_OUT)/ta/%.o,$(1))
AARCH64_ENGINE := $(call aarch64_objects,$(AARCH64_ENGINE_SOURCES))
AARCH64_TA := $(call aarch64_objects,$(AARCH64_TRUSTED_SOURCES)) $(AARCH64_ENGINE)

$(AARCH64_ENGINE): $(AARCH64_OUT)/ta/%.o: $(ROOT)/ta/%.c | aarch64-tools
	@mkdir -p $(@D)
	$(AARCH64_CROSS)gcc $(AARCH64_ENGINE_FLAGS) -MMD -MP -c $< -o $@

$(AARCH64_OUT)/ta/%.o: $(ROOT)/ta/%.c | aarch64-tools
	@mkdir -p $(@D)
	$(AARCH64_CROSS)gcc $(AARCH64_TA_FLAGS) -MMD -MP -c $< -o $@

$(AARCH64_OUT)/%.o: %.c | aarch64-tools
	@mkdir -p $(@D)
	$(AARCH64_CROSS)gcc $(AARCH64_TEST_FLAGS) -c $< -o $@

# The whole TA in one piece needs nothing but the TEE's API and these of the C library.
AARCH64_NEEDS := memcmp memcpy memset memmove strlen
$(AARCH64_OUT)/ta.o: $(AARCH64_TA)
	@$(AARCH64_CROSS)ld -r $^ -o $@
	@needs=$$($(AARCH64_CROSS)nm -u $@ | awk '{print $$2}' \
		| grep -v -x -e 'TEE_[A-Za-z0-9]*' -e _GLOBAL_OFFSET_TABLE_ $(addprefix -e ,$(AARCH64_NEEDS)) || true); \
	if [ -n "$$needs" ]; then echo "the TA for aarch64 needs $$needs" >&2; rm $@; exit 1; fi

AARCH64_TESTS := engine_neon_test engine_neon_plain_test engine_operators_test engine_random_test engine_malformed_test engine_input_head_test \
	tinylibm_exhaustive trust_cbor_test
AARCH64_PROGRAMS := $(addprefix $(AARCH64_OUT)/,$(AARCH64_TESTS))
AARCH64_ENGINE_SHARED := $(addprefix $(AARCH64_OUT)/,engine_builder.o engine_naive.o engine_samples.o \
	engine_samples_packed.o engine_samples_bands.o)
$(filter $(AARCH64_OUT)/engine_%,$(AARCH64_PROGRAMS)): $(AARCH64_ENGINE_SHARED)
$(AARCH64_OUT)/trust_cbor_test: $(addprefix $(AARCH64_OUT)/,trust_test.o trust_cbor_rewrite.o) \
	$(call aarch64_objects,$(wildcard $(ROOT)/ta/trust/cbor_*.c))
$(AARCH64_PROGRAMS): %: %.o $(AARCH64_ENGINE)
	$(AARCH64_CROSS)gcc $(filter %.o,$^) -lm -o $@

# The kernels by themselves in the builds that are not the usual one: with dot product instructions, and with 64-bit loads.
AARCH64_BUILDS := $(AARCH64_OUT)/engine_neon_dot_test $(AARCH64_OUT)/engine_neon_a53_test
$(AARCH64_OUT)/engine_neon_dot_test: AARCH64_BUILD := -march=armv8.2-a+dotprod
$(AARCH64_OUT)/engine_neon_a53_test: AARCH64_BUILD := -DSZ_CORTEX_A53
$(AARCH64_BUILDS): engine_neon_test.c $(AARCH64_ENGINE_SOURCES) $(ENGINE_HEADERS) | aarch64-tools
	@mkdir -p $(@D)
	$(AARCH64_CROSS)gcc $(filter-out -MMD -MP,$(AARCH64_TEST_FLAGS)) -O3 $(AARCH64_BUILD) $(filter %.c,$^) -lm -o $@

aarch64-tools:
	@command -v $(AARCH64_CROSS)gcc >/dev/null && command -v $(firstword $(AARCH64_QEMU)) >/dev/null || { \
		echo "$(AARCH64_CROSS)gcc and qemu-user are needed. On Debian:" \
		"sudo apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user" >&2; exit 69; }

check-aarch64: $(AARCH64_OUT)/ta.o $(AARCH64_PROGRAMS) $(AARCH64_BUILDS) check-aarch64-crypto
	@set -e; for test in $(AARCH64_TESTS) $(notdir $(AARCH64_BUILDS)); do echo "== $$test"; $(AARCH64_QEMU) $(AARCH64_OUT)/$$test; done
	@echo "the TA compiles for aarch64: $(words $(AARCH64_TA)) sources"

.PHONY: check-aarch64 aarch64-tools
-include $(AARCH64_TA:.o=.d) $(wildcard $(AARCH64_OUT)/*.d)
