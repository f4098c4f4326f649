# The int8 kernels of x86 by themselves, both widths.
$(OUT)/engine_kernels_i8_test: engine_kernels_i8_test.c $(ENGINE_ASAN)
	$(CC) $(CFLAGS_ASAN) -D_DEFAULT_SOURCE $^ -lm -o $@

TESTS += $(OUT)/engine_kernels_i8_test
