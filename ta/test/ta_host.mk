# The whole TA under sanitizers, driven by test/ta/*.test.ts.
TA_HOST_SOURCES := ../entry.c $(wildcard ../trust/*.c ../models/*.c ../soft/internal/*.c)
TA_HOST_OBJECTS := $(patsubst ../%.c,$(OUT)/host/%.o,$(TA_HOST_SOURCES))
TA_HOST_LINK := -Wl,--wrap=clock_gettime -lcrypto
TA_HOST_INCLUDES := -I../include -I../soft/include -I../soft/internal -I../soft

$(OUT)/host/%.o: ../%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ASAN) $(TA_HOST_INCLUDES) -MMD -MP -c $< -o $@

$(OUT)/ta_host: ta_host.c $(TA_HOST_OBJECTS) $(ENGINE_ASAN)
	$(CC) $(CFLAGS_ASAN) $(TA_HOST_INCLUDES) $^ $(TA_HOST_LINK) -o $@

# The same, built for one owner (OWNER_KEY=): the one whose seed is 32 bytes of 7 (test/ta/one-owner.test.ts).
ONE_OWNER := ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c
ONE_OWNER_BYTES := $(shell printf '%s' $(ONE_OWNER) | sed 's/../0x&,/g')
ONE_OWNER_OBJECTS := $(OUT)/host/one_owner/on_owner.o $(OUT)/host/one_owner/security_level.o
$(ONE_OWNER_OBJECTS): $(OUT)/host/one_owner/%.o: ../trust/%.c ta_host.mk
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ASAN) $(TA_HOST_INCLUDES) '-DSZ_OWNER_KEY={$(ONE_OWNER_BYTES)}' -MMD -MP -c $< -o $@

$(OUT)/ta_host_one_owner: ta_host.c $(ONE_OWNER_OBJECTS) \
		$(filter-out $(OUT)/host/trust/on_owner.o $(OUT)/host/trust/security_level.o,$(TA_HOST_OBJECTS)) $(ENGINE_ASAN)
	$(CC) $(CFLAGS_ASAN) $(TA_HOST_INCLUDES) $^ $(TA_HOST_LINK) -o $@

# The same with label epochs that end after 8 records, or two seconds (test/ta/epochs.test.ts).
$(OUT)/host/short_epoch.o: ../trust/epoch.c ta_host.mk
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ASAN) $(TA_HOST_INCLUDES) -DSZ_EPOCH_RECORDS=8 -DSZ_EPOCH_MS=2000 -MMD -MP -c $< -o $@

$(OUT)/ta_host_short_epoch: ta_host.c $(OUT)/host/short_epoch.o \
		$(filter-out $(OUT)/host/trust/epoch.o,$(TA_HOST_OBJECTS)) $(ENGINE_ASAN)
	$(CC) $(CFLAGS_ASAN) $(TA_HOST_INCLUDES) $^ $(TA_HOST_LINK) -o $@

# The same with models that stream all their weights where they have several segments (test/ta/machine.test.ts).
STREAMING_LINK := -Wl,--wrap=sz_residency_decide,--wrap=sz_residency_grow

$(OUT)/ta_host_streaming: ta_host.c ta_host_streaming.c $(TA_HOST_OBJECTS) $(ENGINE_ASAN)
	$(CC) $(CFLAGS_ASAN) $(TA_HOST_INCLUDES) $^ $(TA_HOST_LINK) $(STREAMING_LINK) -o $@

PROGRAMS += $(OUT)/ta_host $(OUT)/ta_host_one_owner $(OUT)/ta_host_short_epoch $(OUT)/ta_host_streaming
-include $(TA_HOST_OBJECTS:.o=.d) $(ONE_OWNER_OBJECTS:.o=.d) $(OUT)/host/short_epoch.d

# The same with one source replaced by a copy that has a fault: tests show with it that they can fail (test/ta/model/faults.ts).
# make FAULTY=trust/roster.c FAULTY_COPY=/tmp/roster.c FAULTY_HOST=/tmp/ta_host /tmp/ta_host; with FAULTY_STREAMS=1 it streams.
ifdef FAULTY_HOST
$(FAULTY_HOST): $(FAULTY_COPY) ta_host.c $(if $(FAULTY_STREAMS),ta_host_streaming.c) $(TA_HOST_OBJECTS) $(ENGINE_ASAN)
	$(CC) $(CFLAGS_ASAN) -Wno-error $(TA_HOST_INCLUDES) $(filter-out $(OUT)/host/$(FAULTY:.c=.o),$^) $(TA_HOST_LINK) \
		$(if $(FAULTY_STREAMS),$(STREAMING_LINK)) -o $@
endif
