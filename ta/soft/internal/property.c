/* Properties (GPD_SPE_010 section 4.4). smartzone.* is this software TEE's own: absent on OP-TEE, where the
 * TA reports nothing in its place. */
#include <string.h>

#include "sz_codes.h"
#include "tee.h"

enum kind { STRING, BOOL, U32, UUID, IDENTITY };

struct value {
    enum kind kind;
    const char *string;
    uint32_t number;
    TEE_UUID uuid;
};

#define TEE_SET ((uintptr_t)0xFFFFFFFD)
#define CLIENT_SET ((uintptr_t)0xFFFFFFFE)
#define TA_SET ((uintptr_t)0xFFFFFFFF)

static int text(struct value *value, const char *string)
{
    value->kind = STRING;
    value->string = string;
    return 1;
}

static int number(struct value *value, size_t n)
{
    value->kind = U32;
    value->number = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    return 1;
}

static int flag(struct value *value, int set)
{
    value->kind = BOOL;
    value->number = set != 0;
    return 1;
}

static int of_ta(const char *name, struct value *value)
{
    const struct sz_tee *tee = sz_tee();

    if (strcmp(name, "gpd.ta.appID") == 0) {
        value->kind = UUID;
        value->uuid = tee->config.uuid;
        return 1;
    }
    if (strcmp(name, "gpd.ta.singleInstance") == 0 || strcmp(name, "gpd.ta.multiSession") == 0 ||
        strcmp(name, "gpd.ta.instanceKeepAlive") == 0)
        return flag(value, 1);
    if (strcmp(name, "gpd.ta.dataSize") == 0)
        return number(value, tee->config.heap_size);
    if (strcmp(name, "gpd.ta.stackSize") == 0)
        return number(value, tee->config.stack_size);
    if (strcmp(name, "gpd.ta.version") == 0)
        return text(value, SZ_TA_VERSION);
    if (strcmp(name, "gpd.ta.description") == 0)
        return text(value, "smart-zone");
    if (strcmp(name, "gpd.ta.endian") == 0)
        return number(value, 0);
    return 0;
}

static int of_client(const char *name, struct value *value)
{
    if (strcmp(name, "gpd.client.identity") != 0)
        return 0;
    value->kind = IDENTITY; /* TEE_LOGIN_PUBLIC, no identity */
    return 1;
}

/* What this software TEE tells about itself. */
static int of_software_tee(const char *name, struct value *value)
{
    const struct sz_soft_tee_config *config = &sz_tee()->config;
    struct sz_soft_tee_usage usage;

    sz_soft_tee_usage(&usage);
    if (strcmp(name, "smartzone.soft") == 0)
        return flag(value, 1);
    if (strcmp(name, "smartzone.sandbox") == 0)
        return text(value, config->sandbox);
    if (strcmp(name, "smartzone.heap.size") == 0)
        return number(value, usage.heap_size);
    if (strcmp(name, "smartzone.heap.used") == 0)
        return number(value, usage.heap_used);
    if (strcmp(name, "smartzone.heap.peak") == 0)
        return number(value, usage.heap_peak);
    if (strcmp(name, "smartzone.core.size") == 0)
        return number(value, usage.core_size);
    if (strcmp(name, "smartzone.core.peak") == 0)
        return number(value, usage.core_peak);
    if (strcmp(name, "smartzone.image.size") == 0)
        return number(value, config->image_size);
    if (strcmp(name, "smartzone.stack.size") == 0)
        return number(value, config->stack_size);
    if (strcmp(name, "smartzone.stack.peak") == 0 && config->stack_peak)
        return number(value, config->stack_peak());
    return 0;
}

static int of_tee(const char *name, struct value *value)
{
    if (strcmp(name, "gpd.tee.apiversion") == 0 || strcmp(name, "gpd.tee.internalCore.version") == 0)
        return text(value, "1.3.1");
    if (strcmp(name, "gpd.tee.description") == 0)
        return text(value, "smart-zone software TEE " SZ_TA_VERSION " (for development: protects nothing)");
    /* 100: as good as the operating system outside, which is what this is. OP-TEE without RPMB says the same.
     */
    if (strcmp(name, "gpd.tee.trustedStorage.antiRollback.protectionLevel") == 0 ||
        strcmp(name, "gpd.tee.trustedStorage.rollbackDetection.protectionLevel") == 0 ||
        strcmp(name, "gpd.tee.systemTime.protectionLevel") == 0 ||
        strcmp(name, "gpd.tee.TAPersistentTime.protectionLevel") == 0)
        return number(value, 100);
    return of_software_tee(name, value);
}

static TEE_Result look_up(TEE_PropSetHandle set, const char *name, enum kind kind, struct value *value)
{
    int found = 0;

    if (!name)
        sz_panic(TEE_ERROR_BAD_PARAMETERS, "a property without a name");
    memset(value, 0, sizeof *value);
    switch ((uintptr_t)set) {
    case TEE_SET:
        found = of_tee(name, value);
        break;
    case CLIENT_SET:
        found = of_client(name, value);
        break;
    case TA_SET:
        found = of_ta(name, value);
        break;
    default:
        sz_panic(TEE_ERROR_ITEM_NOT_FOUND, "not a property set");
    }
    if (!found)
        return TEE_ERROR_ITEM_NOT_FOUND;
    return value->kind == kind ? TEE_SUCCESS : TEE_ERROR_BAD_FORMAT;
}

static size_t decimal(uint32_t n, char *to)
{
    char digits[10];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    for (size_t i = 0; i < count; i++)
        to[i] = digits[count - 1 - i];
    to[count] = 0;
    return count;
}

TEE_Result TEE_GetPropertyAsString(TEE_PropSetHandle propsetOrEnumerator, const char *name, char *valueBuffer,
                                   size_t *valueBufferLen)
{
    struct value value;
    char buffer[12];
    const char *string;
    size_t needed, room = *valueBufferLen;
    TEE_Result result = look_up(propsetOrEnumerator, name, STRING, &value);

    if (result == TEE_ERROR_ITEM_NOT_FOUND)
        return result;
    /* Every property can be read as a string; the kinds our TA never reads so are left out. */
    switch (value.kind) {
    case STRING:
        string = value.string;
        break;
    case BOOL:
        string = value.number ? "true" : "false";
        break;
    case U32:
        decimal(value.number, buffer);
        string = buffer;
        break;
    default:
        return TEE_ERROR_BAD_FORMAT;
    }
    needed = strlen(string) + 1;
    *valueBufferLen = needed;
    if (!valueBuffer || room < needed)
        return TEE_ERROR_SHORT_BUFFER;
    memcpy(valueBuffer, string, needed);
    return TEE_SUCCESS;
}

TEE_Result TEE_GetPropertyAsBool(TEE_PropSetHandle propsetOrEnumerator, const char *name, bool *value)
{
    struct value found;
    TEE_Result result = look_up(propsetOrEnumerator, name, BOOL, &found);

    if (result == TEE_SUCCESS)
        *value = found.number != 0;
    return result;
}

TEE_Result TEE_GetPropertyAsU32(TEE_PropSetHandle propsetOrEnumerator, const char *name, uint32_t *value)
{
    struct value found;
    TEE_Result result = look_up(propsetOrEnumerator, name, U32, &found);

    if (result == TEE_SUCCESS)
        *value = found.number;
    return result;
}

TEE_Result TEE_GetPropertyAsU64(TEE_PropSetHandle propsetOrEnumerator, const char *name, uint64_t *value)
{
    struct value found;
    TEE_Result result = look_up(propsetOrEnumerator, name, U32, &found);

    (void)value; /* no property here has 64 bits */
    return result == TEE_SUCCESS ? TEE_ERROR_BAD_FORMAT : result;
}

TEE_Result TEE_GetPropertyAsUUID(TEE_PropSetHandle propsetOrEnumerator, const char *name, TEE_UUID *value)
{
    struct value found;
    TEE_Result result = look_up(propsetOrEnumerator, name, UUID, &found);

    if (result == TEE_SUCCESS)
        *value = found.uuid;
    return result;
}

TEE_Result TEE_GetPropertyAsIdentity(TEE_PropSetHandle propsetOrEnumerator, const char *name,
                                     TEE_Identity *value)
{
    struct value found;
    TEE_Result result = look_up(propsetOrEnumerator, name, IDENTITY, &found);

    if (result == TEE_SUCCESS)
        memset(value, 0, sizeof *value);
    return result;
}
