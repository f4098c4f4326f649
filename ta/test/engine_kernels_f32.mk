# Kernels of x86 by themselves: float32 ones in both widths, and operators without packed weights.
X86_TESTS := engine_kernels_f32_test engine_plain_x86_test engine_winograd_x86_test
$(addprefix $(OUT)/,$(X86_TESTS)): $(OUT)/%: %.c $(ENGINE_ASAN)
	$(CC) $(CFLAGS_ASAN) -D_DEFAULT_SOURCE $^ -lm -o $@

TESTS += $(addprefix $(OUT)/,$(X86_TESTS))
