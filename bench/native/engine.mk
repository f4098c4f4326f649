# Built with the C tests' own rules and flags for the engine: make -C ta/test -f ../../bench/native/engine.mk engine_worker
include Makefile

BENCH := $(ROOT)/bench/native
BENCH_OUT := $(ROOT)/build/bench
BENCH_SOURCES := $(BENCH)/engine_worker.c $(BENCH)/worker.c

engine_worker: $(BENCH_OUT)/engine_worker

$(BENCH_OUT)/engine_worker: $(BENCH_SOURCES) $(BENCH)/worker.h $(ENGINE_FAST)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_FAST) $(filter %.c %.o,$^) -lm -o $@

.PHONY: engine_worker
