# The whole TA: what it is asked, what it finds in its storage, and on a TEE whose API fails.
WHOLE_DEVICE := $(FUZZ_DEVICE:%=$(OUT)/fuzz_replay/obj/%.o) $(TA_HOST_OBJECTS) $(ENGINE_ASAN)
$(OUT)/trust_state_test $(OUT)/trust_commands_test: $(OUT)/%: $(OUT)/fuzz_replay/obj/%.o $(WHOLE_DEVICE)
	$(CC) $(CFLAGS_ASAN) $(FUZZ_WRAP) $^ -lcrypto -lm -o $@

FAULTS_WRAP := $(foreach name,TEE_Malloc TEE_AllocateOperation TEE_AllocateTransientObject TEE_PopulateTransientObject \
	TEE_SetOperationKey TEE_GenerateKey TEE_GetObjectBufferAttribute TEE_DigestDoFinal TEE_MACComputeFinal TEE_AEInit TEE_AEUpdate \
	TEE_AEEncryptFinal TEE_AEDecryptFinal TEE_AsymmetricSignDigest TEE_AsymmetricVerifyDigest TEE_OpenPersistentObject \
	TEE_CreatePersistentObject TEE_GetObjectInfo1 TEE_ReadObjectData TEE_OpenTASession TEE_InvokeTACommand TEE_GetPropertyAsU32 \
	TEE_GetPropertyAsString,-Wl$(comma)--wrap=$(name))
$(OUT)/trust_faults_test: $(OUT)/fuzz_replay/obj/trust_faults_test.o $(WHOLE_DEVICE)
	$(CC) $(CFLAGS_ASAN) $(FUZZ_WRAP) $(FAULTS_WRAP) $^ -lcrypto -lm -o $@

TESTS += $(OUT)/trust_state_test $(OUT)/trust_commands_test $(OUT)/trust_faults_test
