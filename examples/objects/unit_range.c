/* Maps an array's values to 0…1.
 *
 * A kernel in C is a function: the manifest's parameters in their order, scalars by value and arrays by address, then the extents of the
 * signature's dimensions. It gives nothing, or the words for why it failed. */
#include <stddef.h>

/* Memory until the launch ends; `hotcell build` brings it. */
void *hotcell_alloc(size_t bytes, size_t align);

static void range(const float *x, size_t n, float *least, float *most)
{
    *least = *most = x[0];
    for (size_t i = 1; i < n; i++) {
        *least = x[i] < *least ? x[i] : *least;
        *most = x[i] > *most ? x[i] : *most;
    }
}

const char *unit_range(const float *x, float *out, size_t n)
{
    if (n == 0)
        return 0;
    float least, most;
    range(x, n, &least, &most);
    if (!(most > least))
        return "all values are the same, or one is not a number: there is no range to map";
    for (size_t i = 0; i < n; i++)
        out[i] = (x[i] - least) / (most - least);
    return 0;
}

/* The ranks of values, from 0 for the least: by a merge sort of indices, with memory of its own. */
void ranks(const float *x, int *out, size_t n)
{
    unsigned *order = hotcell_alloc(n * sizeof *order, sizeof *order);
    unsigned *merged = hotcell_alloc(n * sizeof *merged, sizeof *merged);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t from = 0; from < n; from += 2 * width) {
            size_t middle = from + width < n ? from + width : n;
            size_t end = from + 2 * width < n ? from + 2 * width : n;
            size_t a = from, b = middle;
            for (size_t i = from; i < end; i++)
                merged[i] = a < middle && (b >= end || x[order[a]] <= x[order[b]]) ? order[a++] : order[b++];
        }
        unsigned *other = order;
        order = merged;
        merged = other;
    }
    for (size_t i = 0; i < n; i++)
        out[order[i]] = i;
}
