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

ta-settings += $(if $(TA_SIGN_KEY),-DSZ_OWN_SIGNING_KEY=1) $(if $(PROTECTED_MEMORY),-DSZ_PROTECTED_MEMORY=1)
