# S-Tinylib and Tinylibm.
ENGINE_SOURCES := $(wildcard $(ROOT)/ta/tinylib/*.c $(ROOT)/ta/tinylib/reference/*.c $(ROOT)/ta/tinylibm/*.c)
ENGINE_HEADERS := $(wildcard $(ROOT)/ta/tinylib/*.h $(ROOT)/ta/tinylib/reference/*.h $(ROOT)/ta/tinylibm/*.h *.h)
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
ENGINE_TEST_PARTS := $(OUT)/asan/engine_builder.o $(OUT)/asan/engine_naive.o $(OUT)/asan/engine_samples.o
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
