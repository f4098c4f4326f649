# Read by OP-TEE's TA dev kit (Makefile): what the TA is made of. ta/soft builds the same sources for the software TEE.
global-incdirs-y += . include

engine := $(wildcard $(sub-dir)/tinylib/*.c $(sub-dir)/tinylib/*/*.c $(sub-dir)/tinylibm/*.c)
sources := $(wildcard $(sub-dir)/*.c $(sub-dir)/trust/*.c $(sub-dir)/models/*.c) $(engine)
# Floating-point numbers are compared exactly where they are compared (NaN, zero, shortest forms).
cflags-y += -Wno-float-equal
srcs-y += $(patsubst $(sub-dir)/%,%,$(sources))

# The engine is fast, and its results do not depend on the compiler fusing multiplications and additions
# (tinylib/README.md). The kit's own -Os stays for the rest.
$(foreach source,$(patsubst $(sub-dir)/%,%,$(engine)),$(eval cflags-$(source)-y := -O3 -ffp-contract=off -fno-math-errno))
$(foreach source,$(patsubst $(sub-dir)/%,%,$(engine)),$(eval cflags-remove-$(source)-y := -Os))
