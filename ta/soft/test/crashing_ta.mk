# A software TEE whose TA some models crash: make -C ta/soft -f test/crashing_ta.mk crashing. In build/crashing/.
include $(dir $(lastword $(MAKEFILE_LIST)))../Makefile

crashing := $(OUT)/crashing
crashing: $(crashing)/smart-zone-ta $(crashing)/smart-zone-tee

# Beside the supervisor, which takes the TA that lies beside it.
$(crashing)/smart-zone-tee: $(OUT)/smart-zone-tee
	@mkdir -p $(@D)
	cp $< $@

$(crashing)/smart-zone-ta: $(objects)/test/crashing_engine.o $(ta_objects) $(process) $(OUT)/libtee-internal.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -pie -Wl,-z,relro,-z,now,--gc-sections,--wrap=sz_graph_run_ops -o $@ $^ -lcrypto
.PHONY: crashing
