# The float32 kernels of x86 by themselves, both widths.
$(OUT)/engine_kernels_f32_test: engine_kernels_f32_test.c $(ENGINE_ASAN)
	$(CC) $(CFLAGS_ASAN) -D_DEFAULT_SOURCE $^ -lm -o $@

TESTS += $(OUT)/engine_kernels_f32_test
