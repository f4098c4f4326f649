# libFuzzer targets (clang) with AddressSanitizer and UndefinedBehaviorSanitizer: `make fuzz` runs all of them for
# FUZZ_SECONDS together, with a fixed seed. FUZZ_SECONDS=3600 FUZZ_SEED=2 looks further. What a run finds is in
# build/fuzz/artifacts/; replay it with `build/fuzz/<target> <file>`.
CLANG ?= clang
FUZZ_SECONDS ?= 20
FUZZ_SEED ?= 1
FUZZ_TARGETS := fuzz_cbor fuzz_cose fuzz_model fuzz_ta
# The time is shared: the more there is behind a target, the more.
fuzz_cbor_tenths := 1
fuzz_cose_tenths := 1
fuzz_model_tenths := 3
fuzz_ta_tenths := 5
FUZZ_OUT := $(ROOT)/build/fuzz

FUZZ_FLAGS := -std=c11 -g -O1 $(WARNINGS) -fno-omit-frame-pointer -ffp-contract=off -fno-math-errno \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-I$(ROOT)/ta -I$(ROOT)/ta/include -I$(ROOT)/ta/soft/include -I$(ROOT)/ta/soft/internal -I$(ROOT)/ta/soft \
	-D_DEFAULT_SOURCE -MMD -MP
comma := ,
FUZZ_LINK := -fsanitize=fuzzer,address,undefined $(foreach name,TEE_GenerateRandom sz_ed25519_verify sz_gcm_seal sz_gcm_open \
	sz_gcm_open_shared,-Wl$(comma)--wrap=$(name))

FUZZ_TESTED := $(wildcard $(ROOT)/ta/*.c $(addprefix $(ROOT)/ta/,trust/*.c models/*.c tinylib/*.c tinylib/*/*.c tinylibm/*.c \
	soft/internal/*.c))
FUZZ_SHARED := $(patsubst $(ROOT)/ta/%.c,$(FUZZ_OUT)/obj/%.o,$(FUZZ_TESTED)) $(addprefix $(FUZZ_OUT)/obj/test/,fuzz_crypto.o \
	fuzz_seeds.o fuzz_mutate.o fuzz_parties.o fuzz_package.o engine_builder.o engine_samples.o trust_cbor_rewrite.o trust_test.o)
FUZZ_PROGRAMS := $(addprefix $(FUZZ_OUT)/,$(FUZZ_TARGETS))

$(FUZZ_OUT)/obj/%.o: $(ROOT)/ta/%.c | fuzz-tools
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_FLAGS) -c $< -o $@

$(FUZZ_PROGRAMS): $(FUZZ_OUT)/%: $(FUZZ_OUT)/obj/test/%.o $(FUZZ_SHARED)
	$(CLANG) $(FUZZ_LINK) $^ -lcrypto -lpthread -lm -o $@

fuzz-tools:
	@mkdir -p $(FUZZ_OUT)
	@printf 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d == 0 && n > 0; }\n' \
		| $(CLANG) -fsanitize=fuzzer,address,undefined -x c - -o $(FUZZ_OUT)/works 2>$(FUZZ_OUT)/works.log || { \
		cat $(FUZZ_OUT)/works.log >&2; \
		echo "clang with libFuzzer and its sanitizers is needed. On Debian: sudo apt-get install clang libclang-rt-dev" >&2; \
		exit 69; }

# A corpus of its own for every run, from the target's seeds: the same seed does the same again.
fuzz: $(FUZZ_PROGRAMS)
	@set -e; mkdir -p $(FUZZ_OUT)/artifacts; \
	for share in $(foreach target,$(FUZZ_TARGETS),$(target):$($(target)_tenths)); do \
		target=$${share%:*}; seconds=$$(( ($(FUZZ_SECONDS) * $${share#*:} + 9) / 10 )); \
		corpus=$(FUZZ_OUT)/corpus/$$target; rm -rf $$corpus; mkdir -p $$corpus; \
		echo "== $$target"; \
		FUZZ_SEEDS=$$corpus $(FUZZ_OUT)/$$target -seed=$(FUZZ_SEED) -max_total_time=$$seconds -max_len=16384 -timeout=5 \
			-rss_limit_mb=1024 -verbosity=0 -print_final_stats=1 -artifact_prefix=$(FUZZ_OUT)/artifacts/$$target- $$corpus \
			>$(FUZZ_OUT)/$$target.log 2>&1 || { cat $(FUZZ_OUT)/$$target.log >&2; exit 1; }; \
		awk '/number_of_executed_units/ { runs = $$2 } /new_units_added/ { kept = $$2 } \
			END { print runs " inputs, " kept " reached something new" }' $(FUZZ_OUT)/$$target.log; \
	done

.PHONY: fuzz fuzz-tools
-include $(wildcard $(FUZZ_OUT)/obj/*.d $(FUZZ_OUT)/obj/*/*.d $(FUZZ_OUT)/obj/*/*/*.d)
