# The whole TA under sanitizers, driven by test/ta/*.test.ts.
TA_HOST_SOURCES := ../entry.c $(wildcard ../trust/*.c ../models/*.c ../soft/internal/*.c)
TA_HOST_OBJECTS := $(patsubst ../%.c,$(OUT)/host/%.o,$(TA_HOST_SOURCES))
TA_HOST_INCLUDES := -I../include -I../soft/include -I../soft/internal -I../soft

$(OUT)/host/%.o: ../%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ASAN) $(TA_HOST_INCLUDES) -MMD -MP -c $< -o $@

$(OUT)/ta_host: ta_host.c $(TA_HOST_OBJECTS) $(ENGINE_ASAN)
	$(CC) $(CFLAGS_ASAN) $(TA_HOST_INCLUDES) $^ -lcrypto -o $@

PROGRAMS += $(OUT)/ta_host
-include $(TA_HOST_OBJECTS:.o=.d)
