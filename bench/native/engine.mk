# Built with the C tests' own rules and flags for the engine: make -C ta/test -f ../../bench/native/engine.mk bench-workers
include Makefile

BENCH := $(ROOT)/bench/native
BENCH_OUT := $(ROOT)/build/bench
BENCH_ENGINE := $(BENCH)/engine.c $(BENCH)/worker.c $(ENGINE_FAST)
BENCH_HEADERS := $(BENCH)/engine.h $(BENCH)/worker.h
SOFT_TEE := $(abspath $(ROOT)/build)

bench-workers: $(BENCH_OUT)/engine_worker $(BENCH_OUT)/naive_worker

$(BENCH_OUT)/engine_worker: $(BENCH)/engine_worker.c $(BENCH_ENGINE) $(BENCH_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_FAST) $(filter %.c %.o,$^) -lm -o $@

$(BENCH_OUT)/naive_worker: $(BENCH)/naive_worker.c $(BENCH_ENGINE) $(BENCH_HEADERS) $(SOFT_TEE)/libteec-soft.so
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_FAST) -I$(ROOT)/ta/soft/include -I$(ROOT)/ta/include $(filter %.c %.o,$^) -lm \
		-L$(SOFT_TEE) -lteec-soft -Wl,-rpath,$(SOFT_TEE) -o $@

# As TAs are compiled, and with the dot product of Cortex-A76; run by qemu-user.
bench-aarch64: $(BENCH_OUT)/engine_worker_neon $(BENCH_OUT)/engine_worker_neon-dot

$(BENCH_OUT)/engine_worker_neon: BENCH_MARCH := armv8-a
$(BENCH_OUT)/engine_worker_neon-dot: BENCH_MARCH := armv8.2-a+dotprod
$(BENCH_OUT)/engine_worker_neon $(BENCH_OUT)/engine_worker_neon-dot: $(BENCH)/engine_worker.c $(BENCH)/engine.c \
		$(BENCH)/worker.c $(BENCH_HEADERS) $(ENGINE_SOURCES) $(ENGINE_HEADERS)
	@mkdir -p $(@D)
	$(AARCH64_CC) $(AARCH64_ENGINE_RUN) -march=$(BENCH_MARCH) $(filter %.c,$^) -lm -o $@

.PHONY: bench-workers bench-aarch64
