# The software TEE's implementation of the internal API (ta/soft/internal), under the sanitizers.
SOFT_SOURCES := $(wildcard $(ROOT)/ta/soft/internal/*.c)
$(OUT)/soft_internal_test: $(ROOT)/ta/soft/test/internal_test.c $(SOFT_SOURCES) $(wildcard $(ROOT)/ta/soft/internal/*.h)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ASAN) -I$(ROOT)/ta/include -I$(ROOT)/ta/soft -I$(ROOT)/ta/soft/include -o $@ $< $(SOFT_SOURCES) -lcrypto
TESTS += $(OUT)/soft_internal_test
