# Read by OP-TEE's TA dev kit (Makefile): what the TA is made of.
global-incdirs-y += . include

sz-sources = $(patsubst $(sub-dir)/%,%,$(wildcard $(addprefix $(sub-dir)/,$(1))))
sz-engine := $(call sz-sources,tinylib/*.c tinylib/*/*.c tinylibm/*.c)
srcs-y += $(call sz-sources,*.c trust/*.c models/*.c) $(sz-engine)

# Floating-point numbers are compared exactly where they are compared (NaN, zero, shortest forms).
cflags-y += -Wconversion -Wno-float-equal

# What the evidence says of the sources (settings.mk).
cflags-trust/security_level.c-y := $(ta-sources-define)

# The engine is fast, and its results do not depend on the compiler fusing multiplications and additions
# (tinylib/README.md); freestanding, or GCC calls memcpy for a few bytes. The kit's own -Os stays for the rest.
$(foreach source,$(sz-engine),$(eval cflags-$(source)-y := -O3 -ffreestanding -ffp-contract=off -fno-math-errno))
$(foreach source,$(sz-engine),$(eval cflags-remove-$(source)-y := -Os))
