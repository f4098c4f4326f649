/* Changes CBOR as CBOR: one item is altered, and all lengths and counts around it are written anew, also
 * through byte strings that hold CBOR (with a 16-byte tag behind it or not). Blind mutations hardly ever
 * leave a message whose lengths agree, and such a message ends at the first check. */
#include "fuzz.h"
#include "trust/cbor_read.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

enum { NODES = 4096, TAG = 16, OUT = 32768, NONE = -1 };

struct node {
    uint8_t major;
    uint64_t argument;     /* of integers and tags */
    struct sz_bytes bytes; /* content of strings; all of simple values and floats; tag behind embedded CBOR */
    bool embedded;         /* a byte string that holds its one child */
    uint32_t children;
    int first, next;
};

static struct node nodes[NODES];
static int node_count;
static uint64_t random_now;

static uint32_t pick(uint32_t below)
{
    random_now = random_now * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    return (uint32_t)(random_now >> 33) % below;
}

static int new_node(void)
{
    if (node_count == NODES) {
        return NONE;
    }
    nodes[node_count] = (struct node){.first = NONE, .next = NONE};
    return node_count++;
}

static int parse(struct sz_cbor_reader *r, unsigned depth);

/* CBOR inside a byte string, or at the top, with or without a tag behind it. */
static int parse_all(struct sz_bytes bytes, size_t *used, unsigned depth)
{
    for (size_t tail = 0; tail <= TAG && bytes.length > tail + 1; tail += TAG) {
        const struct sz_bytes item = SZ_BYTES(bytes.at, bytes.length - tail);
        if (sz_cbor_check(item) == SZ_OK) {
            struct sz_cbor_reader r = sz_cbor_reader(item);
            *used = item.length;
            return parse(&r, depth);
        }
    }
    return NONE;
}

static bool parse_children(struct sz_cbor_reader *r, int parent, uint64_t count, unsigned depth)
{
    int *link = &nodes[parent].first;
    for (uint64_t i = 0; i < count; i++) {
        const int child = parse(r, depth);
        if (child == NONE) {
            return false;
        }
        *link = child;
        link = &nodes[child].next;
        nodes[parent].children++;
    }
    return true;
}

static bool parse_string(struct sz_cbor_reader *r, struct node *node, unsigned depth)
{
    size_t used = 0;
    if (node->major == 3) {
        node->bytes = sz_cbor_tstr(r);
        return true;
    }
    node->bytes = sz_cbor_bstr(r);
    node->first = parse_all(node->bytes, &used, depth);
    if (node->first != NONE) {
        node->embedded = true;
        node->bytes = SZ_BYTES(node->bytes.at + used, node->bytes.length - used);
    }
    return true;
}

/* The reader's bytes were checked. Depth is that of sz_cbor_check() times a few byte strings. */
static int parse(struct sz_cbor_reader *r, unsigned depth)
{
    const int index = new_node();
    const size_t start = sz_cbor_offset(r);
    struct sz_cbor_head head;
    struct node *node;
    bool good = true;
    if (index == NONE || depth > 40 || !sz_cbor_peek(r, &head)) {
        return NONE;
    }
    node = &nodes[index];
    node->major = head.major;
    switch (head.major) {
    case 0:
        node->argument = sz_cbor_uint(r);
        break;
    case 1:
        node->argument = sz_cbor_nint(r);
        break;
    case 2:
    case 3:
        good = parse_string(r, node, depth + 1);
        break;
    case 4:
        good = parse_children(r, index, sz_cbor_array(r), depth + 1);
        break;
    case 5:
        good = parse_children(r, index, 2 * sz_cbor_map(r), depth + 1);
        break;
    case 6:
        node->argument = sz_cbor_tag(r);
        good = parse_children(r, index, 1, depth + 1);
        break;
    default:
        (void)sz_cbor_skip(r);
        node->bytes = SZ_BYTES(r->bytes.at + start, sz_cbor_offset(r) - start);
        break;
    }
    return good ? index : NONE;
}

static size_t size_of(int index)
{
    const struct node *const node = &nodes[index];
    size_t content = node->bytes.length;
    for (int child = node->first; child != NONE; child = nodes[child].next) {
        content += size_of(child);
    }
    switch (node->major) {
    case 0:
    case 1:
    case 6:
        return sz_cbor_head_size(node->argument) + content;
    case 2:
    case 3:
        return sz_cbor_head_size(content) + content;
    case 4:
    case 5:
        return sz_cbor_head_size(node->children) + content;
    default:
        return content;
    }
}

static void write(struct sz_cbor_writer *w, int index)
{
    const struct node *const node = &nodes[index];
    switch (node->major) {
    case 0:
        sz_cbor_put_uint(w, node->argument);
        break;
    case 1:
        sz_cbor_put_nint(w, node->argument);
        break;
    case 2:
        sz_cbor_put_bstr_head(w, node->bytes.length + (node->embedded ? size_of(node->first) : 0));
        break;
    case 3:
        sz_cbor_put_tstr(w, node->bytes.at, node->bytes.length);
        return;
    case 4:
        sz_cbor_put_array(w, node->children);
        break;
    case 5:
        sz_cbor_put_map(w, node->children / 2);
        break;
    case 6:
        sz_cbor_put_tag(w, node->argument);
        break;
    default:
        break;
    }
    for (int child = node->first; child != NONE; child = nodes[child].next) {
        write(w, child);
    }
    if (node->bytes.length > 0) {
        sz_cbor_put_raw(w, node->bytes.at, node->bytes.length);
    }
}

static uint64_t a_number(uint64_t now)
{
    static const uint64_t edges[] = {0,   1,    2,     3,       23,         24,        255,
                                     256, 1024, 65535, 1572864, UINT32_MAX, INT64_MAX, UINT64_MAX};
    switch (pick(4)) {
    case 0:
        return now + 1;
    case 1:
        return now - 1;
    case 2:
        return pick(300);
    default:
        return edges[pick(sizeof edges / sizeof edges[0])];
    }
}

/* Another length, or another content, or both. */
static void alter_string(struct node *node)
{
    static uint8_t text[OUT];
    size_t length = node->bytes.length;
    if (node->embedded) {
        node->embedded = false; /* what was inside is lost */
        node->first = NONE;
    }
    switch (pick(4)) {
    case 0:
        length = pick(80);
        break;
    case 1:
        length = pick(2) == 0 ? length + 1 : length - (length > 0);
        break;
    case 2:
        length = pick(3000);
        break;
    default:
        break;
    }
    for (size_t i = 0; i < length; i++) {
        text[i] = i < node->bytes.length ? node->bytes.at[i] : 'x';
    }
    if (length > 0 && length == node->bytes.length) {
        text[pick((uint32_t)length)] = (uint8_t)(node->major == 3 ? 'a' + pick(26) : pick(256));
    }
    node->bytes = SZ_BYTES(text, length);
}

/* A copy of an item and all in it. Its first key or the like is another one: lists refuse the same member
 * twice. */
static int copy_of(int index, bool *another)
{
    static uint8_t keys[NODES][32];
    const int copy = new_node();
    int *link;
    if (copy == NONE) {
        return NONE;
    }
    nodes[copy] = nodes[index];
    nodes[copy].next = NONE;
    if (!*another && nodes[copy].major == 2 && nodes[copy].bytes.length == sizeof keys[0]) {
        for (size_t i = 0; i < sizeof keys[0]; i++) {
            keys[copy][i] = (uint8_t)pick(256);
        }
        nodes[copy].bytes.at = keys[copy];
        *another = true;
    }
    link = &nodes[copy].first;
    for (int child = nodes[index].first; child != NONE; child = nodes[child].next) {
        *link = copy_of(child, another);
        if (*link == NONE) {
            return NONE;
        }
        link = &nodes[*link].next;
    }
    return copy;
}

/* Drops the first items, or repeats the last one (pair): as often as lists may be too long. */
static void alter_list(struct node *node)
{
    const uint32_t step = node->major == 5 ? 2 : 1;
    int last = node->first;
    if (last == NONE) {
        return;
    }
    if (pick(2) == 0) {
        for (uint32_t i = 0; i < step && node->first != NONE; i++) {
            node->first = nodes[node->first].next;
            node->children--;
        }
        return;
    }
    while (nodes[last].next != NONE) {
        last = nodes[last].next;
    }
    for (uint32_t repeats = pick(2) == 0 ? 150 : 1 + pick(3); repeats > 0 && step == 1; repeats--) {
        bool another = false;
        const int copy = copy_of(last, &another);
        if (copy == NONE) {
            return;
        }
        nodes[last].next = copy;
        last = copy;
        node->children++;
    }
}

static void alter(int index)
{
    struct node *const node = &nodes[index];
    if (pick(8) == 0) { /* another item of this message in its place */
        const int next = node->next, other = (int)pick((uint32_t)index + 1);
        if (nodes[other].first == NONE) { /* none that holds this one */
            *node = nodes[other];
            node->next = next;
        }
        return;
    }
    switch (node->major) {
    case 0:
    case 1:
    case 6:
        node->argument = a_number(node->argument);
        break;
    case 2:
    case 3:
        alter_string(node);
        break;
    case 4:
    case 5:
        alter_list(node);
        break;
    default:
        node->bytes = SZ_TEXT("\xf6");
        break;
    }
}

size_t fuzz_mutate(uint8_t *data, size_t size, size_t most, unsigned random, size_t head)
{
    static uint8_t copy[OUT], out[OUT];
    struct sz_cbor_writer w = sz_cbor_writer(out, sizeof out);
    size_t used = 0, length;
    int top;
    random_now = random;
    (void)pick(2);
    if (size <= head || size > sizeof copy || pick(4) == 0) {
        return LLVMFuzzerMutate(data, size, most);
    }
    memcpy(copy, data, size);
    node_count = 0;
    top = parse_all(SZ_BYTES(copy + head, size - head), &used, 0);
    if (top == NONE) {
        return LLVMFuzzerMutate(data, size, most);
    }
    alter((int)pick((uint32_t)node_count));
    write(&w, top);
    sz_cbor_put_raw(&w, copy + head + used, size - head - used);
    length = sz_cbor_written(&w);
    if (length == 0 || head + length > most) {
        return LLVMFuzzerMutate(data, size, most);
    }
    memcpy(data + head, out, length);
    return head + length;
}

/* ------------------------------------------------------------------ one after the other */

enum { WAYS = 8 };

static bool alter_number(struct node *node, unsigned way)
{
    const uint64_t values[WAYS] = {0,       node->argument + 1, node->argument - 1, 4,
                                   1572865, (uint64_t)1 << 32,  INT64_MAX,          UINT64_MAX};
    node->argument = values[way];
    return true;
}

/* Shorter and longer; zeros, which are a point of small order where it is a key; and longer than any. */
static bool alter_bytes(struct node *node, unsigned way)
{
    static uint8_t bytes[OUT];
    const size_t length = node->bytes.length;
    const size_t lengths[WAYS] = {0, length - (length > 0), length + 1, length, 65, 66, 2100, 9000};
    if (node->embedded) {
        node->embedded = false;
        node->first = NONE;
    }
    memset(bytes, 0, sizeof bytes);
    if (way != 3) {
        memset(bytes, 'x', sizeof bytes);
    }
    node->bytes = SZ_BYTES(bytes, lengths[way]);
    return true;
}

static bool alter_items(struct node *node, unsigned way)
{
    static const unsigned repeats[WAYS] = {0, 1, 1, 4, 16, 64, 128, 0};
    const uint32_t step = node->major == 5 ? 2 : 1;
    int last = node->first;
    bool another = way == 1; /* the same once more; else with another key */
    if (last == NONE || way == WAYS - 1) {
        node->first = NONE; /* nothing in it */
        node->children = 0;
        return way == WAYS - 1;
    }
    if (way == 0) {
        for (uint32_t i = 0; i < step && node->first != NONE; i++) {
            node->first = nodes[node->first].next;
            node->children--;
        }
        return true;
    }
    while (nodes[last].next != NONE) {
        last = nodes[last].next;
    }
    for (unsigned i = 0; i < repeats[way] && step == 1; i++) {
        int copy;
        another = another && way == 1;
        copy = copy_of(last, &another);
        if (copy == NONE) {
            return false;
        }
        nodes[last].next = copy;
        last = copy;
        node->children++;
    }
    return step == 1;
}

size_t fuzz_altered(const uint8_t *data, size_t size, unsigned item, unsigned way, uint8_t *out, size_t most)
{
    struct sz_cbor_writer w = sz_cbor_writer(out, most);
    size_t used = 0;
    int top;
    bool other;
    node_count = 0;
    random_now = (uint64_t)item << 8 | way;
    top = parse_all(SZ_BYTES(data, size), &used, 0);
    if (top == NONE || item >= (unsigned)node_count || way > WAYS) {
        return SIZE_MAX;
    }
    if (way == WAYS) { /* another type */
        const int next = nodes[item].next;
        nodes[item] = (struct node){.major = 7, .bytes = SZ_TEXT("\xf6"), .first = NONE, .next = next};
        other = true;
    } else if (nodes[item].major <= 1 || nodes[item].major == 6) {
        other = alter_number(&nodes[item], way);
    } else if (nodes[item].major <= 3) {
        other = alter_bytes(&nodes[item], way);
    } else {
        other = nodes[item].major <= 5 && alter_items(&nodes[item], way);
    }
    write(&w, top);
    return other ? sz_cbor_written(&w) : 0;
}
