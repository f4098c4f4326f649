# S-Tinylib and Tinylibm.
ENGINE_SOURCES := $(wildcard $(ROOT)/ta/tinylib/*.c $(ROOT)/ta/tinylib/*/*.c $(ROOT)/ta/tinylibm/*.c)
ENGINE_HEADERS := $(wildcard $(ROOT)/ta/tinylib/*.h $(ROOT)/ta/tinylib/*/*.h $(ROOT)/ta/tinylibm/*.h engine_*.h)
ENGINE_ASAN := $(patsubst $(ROOT)/ta/%.c,$(OUT)/asan/%.o,$(ENGINE_SOURCES))
ENGINE_FAST := $(patsubst $(ROOT)/ta/%.c,$(OUT)/fast/%.o,$(ENGINE_SOURCES))

# As in the TA: nothing from the C library.
$(OUT)/asan/%.o: $(ROOT)/ta/%.c $(ENGINE_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ASAN) -ffreestanding -c $< -o $@

$(OUT)/fast/%.o: $(ROOT)/ta/%.c $(ENGINE_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_FAST) -ffreestanding -c $< -o $@

$(OUT)/engine_run: engine_run.c $(ENGINE_FAST) | $(OUT)
	$(CC) $(CFLAGS_FAST) $^ -lm -o $@

$(OUT)/engine_run_asan: engine_run.c $(ENGINE_ASAN) | $(OUT)
	$(CC) $(CFLAGS_ASAN) $^ -lm -o $@

PROGRAMS += $(OUT)/engine_run $(OUT)/engine_run_asan

# What the tests share.
$(OUT)/asan/engine_%.o: engine_%.c $(ENGINE_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ASAN) -D_POSIX_C_SOURCE=200809L -c $< -o $@

ENGINE_TESTS := engine_operators_test engine_random_test engine_malformed_test engine_input_head_test
ENGINE_TEST_PARTS := $(OUT)/asan/engine_builder.o $(OUT)/asan/engine_naive.o $(OUT)/asan/engine_samples.o \
	$(OUT)/asan/engine_samples_packed.o $(OUT)/asan/engine_samples_bands.o
$(addprefix $(OUT)/,$(ENGINE_TESTS)): $(OUT)/%: %.c $(ENGINE_TEST_PARTS) $(ENGINE_ASAN)
	$(CC) $(CFLAGS_ASAN) $^ -lm -o $@

TESTS += $(addprefix $(OUT)/,$(ENGINE_TESTS))

# Sampled as part of `check`; `tinylibm_exhaustive --all` takes minutes.
$(OUT)/tinylibm_exhaustive: tinylibm_exhaustive.c $(filter $(OUT)/fast/tinylibm/%,$(ENGINE_FAST))
	$(CC) $(CFLAGS_FAST) $^ -lm -o $@

$(OUT)/tinylibm_asan: tinylibm_exhaustive.c $(filter $(OUT)/asan/tinylibm/%,$(ENGINE_ASAN))
	$(CC) $(CFLAGS_ASAN) $^ -lm -o $@

PROGRAMS += $(OUT)/tinylibm_exhaustive
TESTS += $(OUT)/tinylibm_asan

# Nothing may be needed from outside but these three; what a TA links is this and no more.
ENGINE_NEEDS := memcmp memcpy memmove memset
$(OUT)/engine_freestanding: $(ENGINE_FAST)
	@$(LD) -r $^ -o $@.o
	@needs=$$(nm -u $@.o | awk '{print $$2}' | grep -v -x -e _GLOBAL_OFFSET_TABLE_ $(addprefix -e ,$(ENGINE_NEEDS)) || true); \
	if [ -n "$$needs" ]; then echo "S-Tinylib needs $$needs" >&2; exit 1; fi
	@printf '#!/bin/sh\necho "freestanding: ok"\n' >$@ && chmod +x $@

TESTS += $(OUT)/engine_freestanding

# The same for aarch64, as programs that emulate themselves: engine_run_neon as TAs are compiled, engine_run_neon_dot with
# the dot product of Cortex-A76. `make engines-aarch64`, where compiler and emulator are installed.
AARCH64_CC ?= aarch64-linux-gnu-gcc
AARCH64_ENGINE_RUN := $(CFLAGS_COMMON) -O3 -mstrict-align -D_POSIX_C_SOURCE=200809L -static
$(OUT)/engine_run_neon.elf: AARCH64_ENGINE_RUN += -march=armv8-a
$(OUT)/engine_run_neon_dot.elf: AARCH64_ENGINE_RUN += -march=armv8.2-a+dotprod
$(OUT)/engine_run_neon.elf $(OUT)/engine_run_neon_dot.elf: engine_run.c $(ENGINE_SOURCES) $(ENGINE_HEADERS) | $(OUT)
	$(AARCH64_CC) $(AARCH64_ENGINE_RUN) $(filter %.c,$^) -lm -o $@

$(OUT)/engine_run_neon $(OUT)/engine_run_neon_dot: %: %.elf
	@printf '#!/bin/sh\nexec qemu-aarch64 "$$0.elf" "$$@"\n' >$@ && chmod +x $@

engines-aarch64: $(OUT)/engine_run_neon $(OUT)/engine_run_neon_dot

.PHONY: engines-aarch64
