/* Keys into and out of transient objects. */
#include <string.h>

#include <openssl/evp.h>

#include "object.h"

static const struct sz_key_rule rules[] = {
    {TEE_TYPE_GENERIC_SECRET, 8, 0, 4096, TEE_ATTR_SECRET_VALUE, 0},
    {TEE_TYPE_AES, 64, 128, 256, TEE_ATTR_SECRET_VALUE, 0},
    /* 192 bits at least: shorter HMAC keys are refused (measured on OP-TEE 4.10) */
    {TEE_TYPE_HMAC_SHA256, 8, 192, 1024, TEE_ATTR_SECRET_VALUE, 0},
    {TEE_TYPE_ED25519_PUBLIC_KEY, 1, 256, 256, 0, TEE_ATTR_ED25519_PUBLIC_VALUE},
    {TEE_TYPE_ED25519_KEYPAIR, 1, 256, 256, TEE_ATTR_ED25519_PRIVATE_VALUE, TEE_ATTR_ED25519_PUBLIC_VALUE},
    {TEE_TYPE_X25519_PUBLIC_KEY, 1, 256, 256, 0, TEE_ATTR_X25519_PUBLIC_VALUE},
    {TEE_TYPE_X25519_KEYPAIR, 1, 256, 256, TEE_ATTR_X25519_PRIVATE_VALUE, TEE_ATTR_X25519_PUBLIC_VALUE},
};

const struct sz_key_rule *sz_key_rule(uint32_t type)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].type == type)
            return &rules[i];
    return NULL;
}

void TEE_InitRefAttribute(TEE_Attribute *attr, uint32_t attributeID, const void *buffer, size_t length)
{
    if (attributeID & TEE_ATTR_FLAG_VALUE)
        sz_panic(TEE_SUCCESS, "a value attribute where a reference is expected");
    attr->attributeID = attributeID;
    attr->content.ref.buffer = (void *)(uintptr_t)buffer;
    attr->content.ref.length = length;
}

void TEE_InitValueAttribute(TEE_Attribute *attr, uint32_t attributeID, uint32_t a, uint32_t b)
{
    if (!(attributeID & TEE_ATTR_FLAG_VALUE))
        sz_panic(TEE_SUCCESS, "a reference attribute where a value is expected");
    attr->attributeID = attributeID;
    attr->content.value.a = a;
    attr->content.value.b = b;
}

static const TEE_Attribute *find(const TEE_Attribute *attrs, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (attrs[i].attributeID == id)
            return &attrs[i];
    return NULL;
}

static void check_25519(const TEE_Attribute *attr)
{
    if (attr->content.ref.length != SZ_KEY_25519_SIZE)
        sz_panic(TEE_ERROR_SECURITY, "a curve25519 value that is not 32 bytes");
}

TEE_Result TEE_PopulateTransientObject(TEE_ObjectHandle object, const TEE_Attribute *attrs,
                                       uint32_t attrCount)
{
    const struct sz_key_rule *rule;
    const TEE_Attribute *secret, *public_value;
    uint32_t expected;

    sz_object_check_transient(object);
    if (object->flags & TEE_HANDLE_FLAG_INITIALIZED)
        sz_panic(TEE_SUCCESS, "the object holds a key already");
    rule = sz_key_rule(object->type);
    if (!rule)
        return TEE_ERROR_BAD_PARAMETERS;
    expected = (rule->secret ? 1u : 0u) + (rule->public_value ? 1u : 0u);
    secret = find(attrs, attrCount, rule->secret);
    public_value = find(attrs, attrCount, rule->public_value);
    if (attrCount != expected || (rule->secret && !secret) || (rule->public_value && !public_value))
        return TEE_ERROR_BAD_PARAMETERS;

    if (rule->public_value) {
        if (rule->secret) {
            check_25519(secret);
            memcpy(object->value, secret->content.ref.buffer, SZ_KEY_25519_SIZE);
            object->length = SZ_KEY_25519_SIZE;
        }
        check_25519(public_value);
        memcpy(object->public_value, public_value->content.ref.buffer, SZ_KEY_25519_SIZE);
        object->bits = 256;
    } else {
        size_t length = secret->content.ref.length;

        if (length > object->capacity || length * 8 < rule->min_bits || (length * 8) % rule->quantum != 0)
            return TEE_ERROR_BAD_PARAMETERS;
        if (length)
            memcpy(object->value, secret->content.ref.buffer, length);
        object->length = length;
        object->bits = (uint32_t)(length * 8);
    }
    object->flags |= TEE_HANDLE_FLAG_INITIALIZED;
    return TEE_SUCCESS;
}

static void public_from_private(TEE_ObjectHandle object)
{
    int id = object->type == TEE_TYPE_ED25519_KEYPAIR ? EVP_PKEY_ED25519 : EVP_PKEY_X25519;
    size_t length = SZ_KEY_25519_SIZE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(id, NULL, object->value, SZ_KEY_25519_SIZE);

    if (!key || EVP_PKEY_get_raw_public_key(key, object->public_value, &length) != 1)
        sz_panic(TEE_ERROR_GENERIC, "libcrypto made no public key");
    EVP_PKEY_free(key);
}

TEE_Result TEE_GenerateKey(TEE_ObjectHandle object, uint32_t keySize, const TEE_Attribute *params,
                           uint32_t paramCount)
{
    const struct sz_key_rule *rule;

    (void)params;
    sz_check_stack();
    sz_object_check(object);
    if (object->flags & (TEE_HANDLE_FLAG_PERSISTENT | TEE_HANDLE_FLAG_INITIALIZED))
        sz_panic(TEE_ERROR_BAD_STATE, "the object holds a key already");
    rule = sz_key_rule(object->type);
    if (!rule || !rule->secret || keySize < rule->min_bits || keySize > rule->max_bits ||
        keySize % rule->quantum != 0)
        sz_panic(TEE_ERROR_NOT_SUPPORTED, "no key of this size");
    if (keySize > object->max_bits || paramCount != 0)
        return TEE_ERROR_BAD_PARAMETERS;
    object->length = (keySize + 7) / 8;
    TEE_GenerateRandom(object->value, object->length);
    if (rule->public_value)
        public_from_private(object);
    object->bits = keySize;
    object->flags |= TEE_HANDLE_FLAG_INITIALIZED;
    return TEE_SUCCESS;
}

TEE_Result TEE_GetObjectBufferAttribute(TEE_ObjectHandle object, uint32_t attributeID, void *buffer,
                                        size_t *size)
{
    const struct sz_key_rule *rule;
    const uint8_t *value;
    size_t length, room = *size;

    sz_object_check(object);
    if (attributeID & TEE_ATTR_FLAG_VALUE)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "a value attribute where a reference is expected");
    if (!(object->flags & TEE_HANDLE_FLAG_INITIALIZED))
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "the object holds no key");
    if (!(attributeID & TEE_ATTR_FLAG_PUBLIC) && !(object->usage & TEE_USAGE_EXTRACTABLE))
        sz_panic(TEE_ERROR_ACCESS_DENIED, "the key is not extractable");
    rule = sz_key_rule(object->type);
    if (rule && rule->secret && attributeID == rule->secret) {
        value = object->value;
        length = object->length;
    } else if (rule && rule->public_value && attributeID == rule->public_value) {
        value = object->public_value;
        length = SZ_KEY_25519_SIZE;
    } else {
        return TEE_ERROR_ITEM_NOT_FOUND;
    }
    *size = length;
    if (!buffer || room < length)
        return TEE_ERROR_SHORT_BUFFER;
    memcpy(buffer, value, length);
    return TEE_SUCCESS;
}
