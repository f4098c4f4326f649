# No branch and no address in ta/trust depends on a secret: ta/trust as the TA is compiled (-Os), under valgrind's memcheck with
# secrets as undefined memory. And that this would be noticed: the same program with a careless comparison must fail.
TIME_OUT := $(OUT)/constant_time
TIME_FLAGS := $(CFLAGS_COMMON) -Os $(TA_HOST_INCLUDES) -D_DEFAULT_SOURCE -MMD -MP
TIME_TESTED := $(patsubst $(ROOT)/ta/%.c,$(TIME_OUT)/%.o,$(wildcard $(ROOT)/ta/*.c $(addprefix $(ROOT)/ta/,trust/*.c models/*.c \
	soft/internal/*.c)))
TIME_PARTS := $(patsubst %,$(TIME_OUT)/test/%.o,$(filter-out fuzz_crypto,$(FUZZ_DEVICE)) trust_constant_time trust_constant_time_border)
TIME_WRAP := $(foreach name,TEE_GenerateRandom TEE_GenerateKey TEE_GetObjectBufferAttribute TEE_PopulateTransientObject \
	TEE_ResetOperation TEE_DigestUpdate TEE_DigestDoFinal TEE_MACUpdate TEE_MACComputeFinal TEE_AEInit TEE_AEUpdate TEE_AEEncryptFinal \
	TEE_AEDecryptFinal TEE_AsymmetricSignDigest TEE_CreatePersistentObject TEE_ReadObjectData TEE_InvokeTACommand sz_equal \
	sz_boot_begin sz_epoch_next sz_encrypt_open sz_encrypt_seal sz_record_open sz_gcm_open_shared sz_model_infer sz_model_write_results,\
	-Wl$(comma)--wrap=$(name))

$(TIME_OUT)/%.o: $(ROOT)/ta/%.c
	@mkdir -p $(@D)
	$(CC) $(TIME_FLAGS) -c $< -o $@

$(OUT)/trust_constant_time: $(TIME_TESTED) $(TIME_PARTS) $(ENGINE_FAST)
	$(CC) $(CFLAGS_COMMON) $(TIME_WRAP) $^ -lcrypto -lm -o $@

VALGRIND := valgrind -q --error-exitcode=9 --undef-value-errors=yes --leak-check=no --show-mismatched-frees=no
ifneq ($(shell command -v valgrind),)
$(OUT)/trust_constant_time_test: $(OUT)/trust_constant_time trust_constant_time.mk
	@printf '#!/bin/sh\n%s\n%s\n%s\n%s\n%s\n' '$(VALGRIND) $(abspath $<) || exit 1' \
		'for mistake in branch index; do' \
		'if $(VALGRIND) $(abspath $<) $$mistake >/dev/null 2>&1; then echo "a $$mistake on a secret is not noticed" >&2; exit 1; fi' \
		'done' 'echo "careless comparisons are noticed: ok"' >$@
	@chmod +x $@
else
$(OUT)/trust_constant_time_test: trust_constant_time.mk | $(OUT)
	@printf '#!/bin/sh\necho "valgrind is not installed: constant time is not tested. On Debian: sudo apt-get install valgrind"\n' >$@
	@chmod +x $@
endif
TESTS += $(OUT)/trust_constant_time_test
-include $(TIME_TESTED:.o=.d) $(TIME_PARTS:.o=.d)
