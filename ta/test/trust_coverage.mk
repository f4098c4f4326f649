# Branch coverage of ta/trust: `make coverage` runs the C tests of ta/trust, the corpus, the TEE whose API fails and the TA's jest tests
# on code that counts its branches (clang), prints a table, the branches that nothing reached, and fails below COVERAGE_LEAST percent.
# Reports in build/coverage/.
COVERAGE_LEAST ?= 95
COVERAGE_OUT := $(ROOT)/build/coverage
COVERAGE_TESTS ?= main-path lifecycle membership statements hostile reply-buffer streaming device-keys succession zones
COVERAGE_FLAGS := $(CFLAGS_COMMON) -O1 $(TA_HOST_INCLUDES) -fprofile-instr-generate -fcoverage-mapping -MMD -MP

COVERAGE_COUNTED := $(patsubst $(ROOT)/ta/%.c,$(COVERAGE_OUT)/obj/%.o,$(wildcard $(ROOT)/ta/*.c $(ROOT)/ta/trust/*.c))
# The rest as it is compiled for other tests.
COVERAGE_PLAIN := $(filter $(TIME_OUT)/models/% $(TIME_OUT)/soft/%,$(TIME_TESTED)) $(ENGINE_FAST)
coverage-test = $(patsubst %,$(TIME_OUT)/test/%.o,$(1))

COVERAGE_TRUST := $(addprefix $(COVERAGE_OUT)/,trust_cbor_test trust_crypto_test trust_cose_test trust_cose_forms_test trust_window_test \
	trust_vectors)
COVERAGE_WHOLE := $(addprefix $(COVERAGE_OUT)/,trust_state_test trust_commands_test)
COVERAGE_REPLAY := $(FUZZ_ALL_TARGETS:%=$(COVERAGE_OUT)/%)
COVERAGE_PROGRAMS := $(COVERAGE_TRUST) $(COVERAGE_REPLAY) $(COVERAGE_OUT)/trust_alterations_test \
	$(COVERAGE_WHOLE) $(COVERAGE_OUT)/trust_faults_test $(COVERAGE_OUT)/ta_host
COVERAGE_LINK = $(CLANG) -fprofile-instr-generate $(filter-out FORCE,$^) -lcrypto -lpthread -lm -o $@

$(COVERAGE_OUT)/obj/%.o: $(ROOT)/ta/%.c
	@mkdir -p $(@D)
	$(CLANG) $(COVERAGE_FLAGS) -c $< -o $@

$(COVERAGE_OUT)/trust_cose_test $(COVERAGE_OUT)/trust_cose_forms_test: $(call coverage-test,trust_cose_samples)
$(COVERAGE_OUT)/trust_vectors: $(call coverage-test,$(patsubst %.c,%,$(wildcard trust_vectors_*.c)))
$(COVERAGE_TRUST): $(COVERAGE_OUT)/%: $(TIME_OUT)/test/%.o $(call coverage-test,trust_test trust_cbor_rewrite) $(COVERAGE_COUNTED) \
		$(COVERAGE_PLAIN)
	$(COVERAGE_LINK)

$(COVERAGE_REPLAY): $(COVERAGE_OUT)/%: $(TIME_OUT)/test/%.o $(call coverage-test,$(FUZZ_PARTS) fuzz_replay) $(COVERAGE_COUNTED) \
		$(COVERAGE_PLAIN)
	$(COVERAGE_LINK) $(FUZZ_WRAP)

$(COVERAGE_OUT)/trust_alterations_test: $(call coverage-test,trust_alterations_test fuzz_messages $(FUZZ_PARTS)) $(COVERAGE_COUNTED) \
		$(COVERAGE_PLAIN)
	$(COVERAGE_LINK) $(FUZZ_WRAP)

$(COVERAGE_WHOLE): $(COVERAGE_OUT)/%: $(TIME_OUT)/test/%.o $(call coverage-test,$(FUZZ_DEVICE)) $(COVERAGE_COUNTED) $(COVERAGE_PLAIN)
	$(COVERAGE_LINK) $(FUZZ_WRAP)

$(COVERAGE_OUT)/trust_faults_test: $(call coverage-test,trust_faults_test $(FUZZ_DEVICE)) $(COVERAGE_COUNTED) $(COVERAGE_PLAIN)
	$(COVERAGE_LINK) $(FUZZ_WRAP) $(FAULTS_WRAP)

# Its leak check at restarts needs a sanitizer.
$(COVERAGE_OUT)/ta_host: $(call coverage-test,ta_host) $(COVERAGE_COUNTED) $(COVERAGE_PLAIN)
	$(COVERAGE_LINK) $(TA_HOST_LINK) -fsanitize=leak

COVERAGE_RUN := LLVM_PROFILE_FILE=$(abspath $(COVERAGE_OUT))/raw/%m.profraw
coverage: $(COVERAGE_PROGRAMS)
	@for tool in llvm-profdata llvm-cov; do command -v $$tool >/dev/null || { \
		echo "$$tool is needed. On Debian: sudo apt-get install llvm" >&2; exit 69; }; done
	@rm -rf $(COVERAGE_OUT)/raw
	@set -e; for test in $(filter-out %/trust_vectors,$(COVERAGE_TRUST)) $(COVERAGE_OUT)/trust_alterations_test \
		$(COVERAGE_WHOLE) $(COVERAGE_OUT)/trust_faults_test; do \
		$(COVERAGE_RUN) $$test; done
	@node vectors.mjs $(COVERAGE_OUT)/vectors && $(COVERAGE_RUN) $(COVERAGE_OUT)/trust_vectors <$(COVERAGE_OUT)/vectors
	@set -e; for target in $(FUZZ_ALL_TARGETS); do \
		find $(FUZZ_CORPUS)/*/$$target -type f -exec env $(COVERAGE_RUN) $(COVERAGE_OUT)/$$target {} +; done
	cd $(ROOT) && $(COVERAGE_RUN) TA_HOST_DIR=build/coverage node --experimental-vm-modules --no-warnings \
		node_modules/jest/bin/jest.js $(COVERAGE_TESTS:%=test/ta/%.test.ts)
	@llvm-profdata merge $(COVERAGE_OUT)/raw/*.profraw -o $(COVERAGE_OUT)/all.profdata
	@llvm-cov export $(firstword $(COVERAGE_PROGRAMS)) $(patsubst %,-object %,$(wordlist 2,99,$(COVERAGE_PROGRAMS))) \
		-instr-profile=$(COVERAGE_OUT)/all.profdata $(ROOT)/ta/trust $(ROOT)/ta/entry.c >$(COVERAGE_OUT)/all.json
	@node coverage.mjs $(COVERAGE_OUT)/all.json $(COVERAGE_LEAST)

.PHONY: coverage
-include $(COVERAGE_COUNTED:.o=.d)
