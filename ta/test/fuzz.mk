# libFuzzer targets (clang) with AddressSanitizer and UndefinedBehaviorSanitizer, a dictionary each (from the CDDL), and the
# corpus in corpus/. `make fuzz` runs all of them for FUZZ_SECONDS together, with a fixed seed; FUZZ_SECONDS=3600 FUZZ_SEED=2 looks
# further. FUZZ_TARGETS=fuzz_messages FUZZ_ONLY=roster runs one parser, FUZZ_TARGETS=fuzz_ta FUZZ_ONLY=OFFER one command; a wrong
# name lists the right ones. What a run finds is in build/fuzz/artifacts/; replay it with `build/fuzz/<target> <file>`.
CLANG ?= clang
FUZZ_SECONDS ?= 20
FUZZ_SEED ?= 1
FUZZ_ALL_TARGETS := fuzz_cbor fuzz_cose fuzz_messages fuzz_model fuzz_ta
FUZZ_TARGETS ?= $(FUZZ_ALL_TARGETS)
# The time is shared: the more there is behind a target, the more.
fuzz_cbor_share := 1
fuzz_cose_share := 1
fuzz_messages_share := 3
fuzz_model_share := 2
fuzz_ta_share := 3
FUZZ_OUT := $(ROOT)/build/fuzz
FUZZ_CORPUS := corpus

FUZZ_FLAGS := -std=c11 -g -O1 $(WARNINGS) -fno-omit-frame-pointer -ffp-contract=off -fno-math-errno \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-I$(ROOT)/ta -I$(ROOT)/ta/include -I$(ROOT)/ta/soft/include -I$(ROOT)/ta/soft/internal -I$(ROOT)/ta/soft \
	-D_DEFAULT_SOURCE -MMD -MP
comma := ,
FUZZ_WRAP := $(foreach name,TEE_GenerateRandom sz_ed25519_verify sz_gcm_seal sz_gcm_open sz_gcm_open_shared,-Wl$(comma)--wrap=$(name))
FUZZ_LINK := -fsanitize=fuzzer,address,undefined $(FUZZ_WRAP)

FUZZ_TESTED := $(wildcard $(ROOT)/ta/*.c $(addprefix $(ROOT)/ta/,trust/*.c models/*.c tinylib/*.c tinylib/*/*.c tinylibm/*.c \
	soft/internal/*.c))
# What makes devices and their messages, also for other tests.
FUZZ_DEVICE := fuzz_crypto fuzz_seeds fuzz_parties fuzz_package fuzz_device fuzz_commands engine_builder engine_samples
FUZZ_PARTS := $(FUZZ_DEVICE) fuzz_mutate trust_cbor_rewrite trust_test
FUZZ_SHARED := $(patsubst $(ROOT)/ta/%.c,$(FUZZ_OUT)/obj/%.o,$(FUZZ_TESTED)) $(FUZZ_PARTS:%=$(FUZZ_OUT)/obj/test/%.o)
FUZZ_PROGRAMS := $(addprefix $(FUZZ_OUT)/,$(FUZZ_ALL_TARGETS))

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

FUZZ_DICTIONARIES := $(FUZZ_OUT)/dictionaries/made
$(FUZZ_DICTIONARIES): dictionary.mjs $(ROOT)/protocol/smart-zone.cddl
	node dictionary.mjs $(@D)
	@touch $@

# $(call fuzz-run,TARGET,FOLDER,SECONDS): from the target's own seeds and the corpus in the repository; what is new goes to FOLDER.
define fuzz-run
FUZZ_SEEDS=$2 $(FUZZ_OUT)/$1 -seed=$(FUZZ_SEED) -max_total_time=$3 -max_len=16384 -timeout=5 -rss_limit_mb=1024 -verbosity=0 \
	-print_final_stats=1 -dict=$(FUZZ_OUT)/dictionaries/$1.dict -artifact_prefix=$(FUZZ_OUT)/artifacts/$1- $2 \
	$(wildcard $(FUZZ_CORPUS)/*/$1) >$(FUZZ_OUT)/$1.log 2>&1 || { cat $(FUZZ_OUT)/$1.log >&2; exit 1; }
endef
FUZZ_SHARES := $(foreach target,$(FUZZ_TARGETS),+ $($(target)_share))

# A folder of its own for every run: the same seed does the same again.
define fuzz-one
	@rm -rf $(FUZZ_OUT)/corpus/$1 && mkdir -p $(FUZZ_OUT)/corpus/$1 $(FUZZ_OUT)/artifacts && echo "== $1 $(FUZZ_ONLY)"
	@seconds=$$(( ($(FUZZ_SECONDS) * $($1_share) + (0 $(FUZZ_SHARES)) - 1) / (0 $(FUZZ_SHARES)) )); \
		$(call fuzz-run,$1,$(FUZZ_OUT)/corpus/$1,$$seconds)
	@awk '/number_of_executed_units/ { runs = $$2 } /new_units_added/ { kept = $$2 } \
		END { print runs " inputs, " kept " reached something new" }' $(FUZZ_OUT)/$1.log

endef
fuzz: export FUZZ_ONLY := $(FUZZ_ONLY)
fuzz: $(FUZZ_PROGRAMS) $(FUZZ_DICTIONARIES)
	$(foreach target,$(FUZZ_TARGETS),$(call fuzz-one,$(target)))

.PHONY: fuzz fuzz-tools
-include $(wildcard $(FUZZ_OUT)/obj/*.d $(FUZZ_OUT)/obj/*/*.d $(FUZZ_OUT)/obj/*/*/*.d)
