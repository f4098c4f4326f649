# What can be set when building the TA, for OP-TEE (Makefile) and for the software TEE (soft/Makefile) alike.
ta-settings := $(foreach name,TA_DATA_SIZE_KIB TA_STACK_SIZE_KIB,$(if $($(name)),-D$(name)=$($(name))))

# 64 hexadecimal digits become the initialiser {0x..,...}, quoted for the shell.
ifneq ($(OWNER_KEY),)
ta-owner-bytes := $(shell printf '%s' '$(OWNER_KEY)' | grep -Ex '[0-9a-fA-F]{64}' | sed 's/../0x&,/g')
ifeq ($(ta-owner-bytes),)
$(error OWNER_KEY must be 64 hexadecimal digits)
endif
ta-settings += '-DSZ_OWNER_KEY={$(ta-owner-bytes)}'
endif

# What the TA is made of: SHA-256 over the list that sha256sum writes of its sources, names in byte order. It goes into
# trust/security_level.c alone, and from there into the evidence (item sources-sha256).
ta-folder := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
ta-source-files := $(shell cd $(ta-folder) && find *.[ch] include models tinylib tinylibm trust -name '*.[ch]' | LC_ALL=C sort)
ta-sources-digest := $(shell cd $(ta-folder) && sha256sum $(ta-source-files) | sha256sum | cut -c1-64)
ta-sources-define := -DSZ_SOURCES_SHA256='"$(ta-sources-digest)"'

ta-settings += $(if $(TA_SIGN_KEY),-DSZ_OWN_SIGNING_KEY=1) $(if $(PROTECTED_MEMORY),-DSZ_PROTECTED_MEMORY=1)
