# What fuzz.mk starts from, in corpus/.

# The corpus as a test of its own, with the ordinary compiler: nothing in it breaks a parser, and every message of a real run is
# still taken. A parser that changed its form on purpose: `make corpus`.
FUZZ_REPLAY := $(FUZZ_ALL_TARGETS:%=$(OUT)/fuzz_replay/%)
FUZZ_ASAN_PARTS := $(FUZZ_PARTS:%=$(OUT)/fuzz_replay/obj/%.o) $(OUT)/fuzz_replay/obj/fuzz_replay.o
$(OUT)/fuzz_replay/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ASAN) $(TA_HOST_INCLUDES) -D_DEFAULT_SOURCE -MMD -MP -c $< -o $@

$(FUZZ_REPLAY): $(OUT)/fuzz_replay/%: $(OUT)/fuzz_replay/obj/%.o $(FUZZ_ASAN_PARTS) $(TA_HOST_OBJECTS) $(ENGINE_ASAN)
	$(CC) $(CFLAGS_ASAN) $(FUZZ_WRAP) $^ -lcrypto -lm -o $@

$(OUT)/fuzz_corpus_test: $(FUZZ_REPLAY) fuzz.mk
	@printf '#!/bin/sh\nset -e\ncd %s\nfor t in $(FUZZ_ALL_TARGETS); do\n%s\n%s\ndone\n' '$(abspath $(FUZZ_CORPUS))' \
		'[ ! -d real/$$t ] || find real/$$t -type f -exec env FUZZ_REAL=1 $(abspath $(OUT))/fuzz_replay/$$t {} +' \
		'[ ! -d found/$$t ] || find found/$$t -type f -exec $(abspath $(OUT))/fuzz_replay/$$t {} +' >$@
	@chmod +x $@

# The same parsers, on each item of each message altered.
$(OUT)/trust_alterations_test: $(addprefix $(OUT)/fuzz_replay/obj/,trust_alterations_test.o fuzz_messages.o) \
		$(FUZZ_PARTS:%=$(OUT)/fuzz_replay/obj/%.o) $(TA_HOST_OBJECTS) $(ENGINE_ASAN)
	$(CC) $(CFLAGS_ASAN) $(FUZZ_WRAP) $^ -lcrypto -lm -o $@

TESTS += $(OUT)/fuzz_corpus_test $(OUT)/trust_alterations_test

# Makes the corpus anew. real/: what the parsers accept while the tests in test/ta run against a TA that keeps it. found/: what a run
# of FUZZ_SECONDS reached. Of both the fewest files that reach every branch which all of them reach.
CAPTURED := $(FUZZ_OUT)/captured
CAPTURE_WRAP := $(foreach name,sz_sign1_read sz_signed_verify sz_encrypt_open sz_record_seal sz_manifest_read sz_container_read \
	TEE_CreatePersistentObject TA_InvokeCommandEntryPoint,-Wl$(comma)--wrap=$(name))
CAPTURE_TESTS := main-path lifecycle membership statements streaming succession zones device-keys

$(ROOT)/build/capture/ta_host: ta_host.c $(OUT)/fuzz_replay/obj/fuzz_capture.o $(TA_HOST_OBJECTS) $(ENGINE_ASAN)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ASAN) $(TA_HOST_INCLUDES) $(CAPTURE_WRAP) $^ $(TA_HOST_LINK) -o $@

FUZZ_MERGE := -merge=1 -set_cover_merge=1 -use_counters=0 -max_len=16384 -verbosity=0
define corpus-one
	@rm -rf $(FUZZ_OUT)/merged && mkdir -p $(FUZZ_OUT)/merged/real $(FUZZ_OUT)/merged/found $(CAPTURED)/$1 $(FUZZ_CORPUS)/real \
		$(FUZZ_CORPUS)/found
	@FUZZ_REAL=1 $(FUZZ_OUT)/$1 $(FUZZ_MERGE) $(FUZZ_OUT)/merged/real $(CAPTURED)/$1 2>$(FUZZ_OUT)/merge.log
	@$(FUZZ_OUT)/$1 $(FUZZ_MERGE) $(FUZZ_OUT)/merged/found $(FUZZ_OUT)/corpus/$1 $(wildcard $(FUZZ_CORPUS)/found/$1) 2>$(FUZZ_OUT)/merge.log
	@rm -rf $(FUZZ_CORPUS)/real/$1 $(FUZZ_CORPUS)/found/$1 && mv $(FUZZ_OUT)/merged/real $(FUZZ_CORPUS)/real/$1 && \
		mv $(FUZZ_OUT)/merged/found $(FUZZ_CORPUS)/found/$1
	@find $(FUZZ_CORPUS)/real/$1 -empty -delete
	@echo "$1: $$(ls $(CAPTURED)/$1 | wc -l) messages captured, $$(find $(FUZZ_CORPUS)/real/$1 -type f 2>/dev/null | wc -l) kept;" \
		"$$(ls $(FUZZ_OUT)/corpus/$1 | wc -l) found, $$(ls $(FUZZ_CORPUS)/found/$1 | wc -l) kept"

endef
corpus: fuzz $(ROOT)/build/capture/ta_host
	@rm -rf $(CAPTURED) && mkdir -p $(CAPTURED)
	cd $(ROOT) && FUZZ_CAPTURE=$(abspath $(CAPTURED)) TA_HOST_DIR=build/capture node --experimental-vm-modules --no-warnings \
		node_modules/jest/bin/jest.js $(CAPTURE_TESTS:%=test/ta/%.test.ts)
	$(foreach target,$(FUZZ_ALL_TARGETS),$(call corpus-one,$(target)))
	@du -sk --apparent-size $(FUZZ_CORPUS) | awk '{ print "corpus: " $$1 " KiB" }'

.PHONY: corpus
-include $(wildcard $(OUT)/fuzz_replay/obj/*.d)
