// A kernel in C with its standard library: out = w * x, where w is read from the file /data/weight.txt with stdio. For
// WASI, so that `hotcell build --wasi` makes the component, and whoever runs it grants it a directory.

#include "hotcell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (1u << 20)

// The C library's own allocator serves the host as well: what comes from either is freed by the other.
void *hotcell_realloc(void *old, uint32_t old_bytes, uint32_t align, uint32_t new_bytes) {
    (void)old_bytes;
    if (new_bytes == 0)
        return (void *)(uintptr_t)align;
    void *block = realloc(old, new_bytes);
    if (!block)
        abort();
    return block;
}

static hotcell_string text(const char *words) {
    return (hotcell_string){words, (uint32_t)strlen(words)};
}

static const hotcell_result *fail(uint8_t tag, const char *what, const char *why) {
    static hotcell_result result;
    result = (hotcell_result){1, {tag, text(what), text(why)}};
    return &result;
}

static int read_weight(float *weight) {
    FILE *file = fopen("/data/weight.txt", "r");
    if (!file)
        return errno;
    int is_read = fscanf(file, "%f", weight) == 1;
    fclose(file);
    return is_read ? 0 : EINVAL;
}

static void weigh(float weight, int32_t x, int32_t out) {
    uint64_t size = hotcell_input_size_bytes(x);
    for (uint64_t offset = 0; offset < size; offset += BLOCK_BYTES) {
        uint64_t left = size - offset;
        uint32_t len = left < BLOCK_BYTES ? (uint32_t)left : BLOCK_BYTES;
        hotcell_bytes block;
        hotcell_input_read(x, offset, len, &block);
        float *elements = (float *)block.bytes;
        for (uint32_t at = 0; at < block.len / sizeof(float); at++)
            elements[at] *= weight;
        hotcell_output_write(out, offset, block.bytes, block.len);
        free(block.bytes);
    }
}

const hotcell_result *hotcell_launch(const char *entry, uint32_t entry_len,
                                     const hotcell_dimension *dims, uint32_t dims_len,
                                     const hotcell_scalar *scalars, uint32_t scalars_len,
                                     const hotcell_array *sources, uint32_t sources_len,
                                     const hotcell_array *destinations, uint32_t destinations_len,
                                     uint64_t chunk_start, uint64_t chunk_len, uint64_t chunk_total) {
    static const hotcell_result done;
    if (entry_len != 5 || memcmp(entry, "weigh", 5) != 0)
        return fail(HOTCELL_UNKNOWN_ENTRY, "weigh", "");
    if (sources_len != 1 || destinations_len != 1)
        return fail(HOTCELL_BAD_ARGUMENT, "x", "one input and one output are expected");
    float weight;
    int error = read_weight(&weight);
    if (error)
        return fail(HOTCELL_BAD_ARGUMENT, "/data/weight.txt", strerror(error));
    printf("weighs %g\n", (double)weight);
    fflush(stdout);
    weigh(weight, sources[0].data, destinations[0].data);
    hotcell_input_drop(sources[0].data);
    hotcell_output_drop(destinations[0].data);
    return &done;
}
