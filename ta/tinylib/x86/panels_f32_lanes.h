/*
 * Float32 matrix product for either width of lanes: sums of some rows times some vectors of columns stay in
 * registers over the whole depth; for each value of the depth the vectors of weights are loaded once, and
 * each row's input is spread over all lanes once.
 *
 * The including file has included its lanes, and defined MOST_ROWS: as many rows as leave registers for two
 * vectors of weights and an input beside two vectors of sums each.
 */
#include "kernels_f32.h"

#define PANEL SZ_X86_COLUMNS_F32
#define MOST_VECTORS 2
#define AHEAD 3072 /* bytes of weights: those of a network do not fit the L2 cache */

/* The first row, panel and value of y of what stays in registers, and how many columns there are from there
 * on.
 */
struct tile {
    const float *a;
    const uint8_t *panels;
    float *y;
    size_t columns;
};

LANES_INLINE void store_tile(const struct sz_panel_job *job, const struct tile *t,
                             lanes sums[MOST_ROWS][MOST_VECTORS], size_t rows, size_t vectors)
{
    lanes low = splat(job->low);
    lanes high = splat(job->high);
    foreach (v, vectors) {
        size_t left = t->columns - v * LANES; /* not 0 */
        lanes_mask mask = first_lanes(left);
        foreach (r, rows) {
            float *y = (float *)(void *)((uint8_t *)t->y + r * job->y_stride) + v * LANES;
            lanes value = clamp(sums[r][v], low, high);
            if (left >= LANES)
                store(y, value);
            else
                store_some(y, mask, value);
        }
    }
}

LANES_INLINE void sum_tile(const struct sz_panel_job *job, const struct tile *t, size_t rows, size_t vectors)
{
    lanes sums[MOST_ROWS][MOST_VECTORS];
    const float *weights[MOST_VECTORS];
    const float *inputs[(MOST_ROWS + 2) / 3]; /* of every third row: the others are one and two strides on */
    size_t stride = job->a_stride / sizeof(float);
    foreach (i, (rows + 2) / 3)
        inputs[i] = t->a + 3 * i * stride;
    foreach (v, vectors) {
        weights[v] = (const float *)(const void *)(t->panels + v * LANES / PANEL * job->panel_bytes);
        weights[v] += v * LANES % PANEL;
        lanes bias = load(weights[v]);
        foreach (r, rows)
            sums[r][v] = bias;
        weights[v] += PANEL;
    }
    for (size_t k = 0; k < job->depth; k++) {
        lanes w[MOST_VECTORS];
        foreach (v, vectors) {
            w[v] = load(weights[v] + k * PANEL);
            _mm_prefetch((const void *)((uintptr_t)(weights[v] + k * PANEL) + AHEAD), _MM_HINT_T0);
        }
        foreach (r, rows) {
            lanes x = splat(inputs[r / 3][k + r % 3 * stride]);
            foreach (v, vectors)
                sums[r][v] = multiply_add(x, w[v], sums[r][v]);
        }
    }
    store_tile(job, t, sums, rows, vectors);
}

#define ROWS(n)                                                                                              \
    case n:                                                                                                  \
        sum_tile(job, t, n, vectors);                                                                        \
        break

/* The number of rows as a constant. */
LANES_INLINE void sum_rows(const struct sz_panel_job *job, const struct tile *t, size_t rows, size_t vectors)
{
    switch (rows) {
        ROWS(1);
        ROWS(2);
        ROWS(3);
        ROWS(4);
        ROWS(5);
        ROWS(6);
#if MOST_ROWS > 6
        ROWS(7);
        ROWS(8);
        ROWS(9);
        ROWS(10);
        ROWS(11);
        ROWS(12);
        ROWS(13);
        ROWS(14);
#endif
    }
}

LANES_TARGET static __attribute__((noinline)) void sum_one(const struct sz_panel_job *job,
                                                           const struct tile *t, size_t rows)
{
    sum_rows(job, t, rows, 1);
}

LANES_TARGET static __attribute__((noinline)) void sum_two(const struct sz_panel_job *job,
                                                           const struct tile *t, size_t rows)
{
    sum_rows(job, t, rows, 2);
}

LANES_INLINE void multiply_panels(const struct sz_panel_job *job)
{
    for (size_t r = 0; r < job->rows;) {
        /* About equally many rows at a time: few at once would wait for their own sums. */
        size_t times = (job->rows - r + MOST_ROWS - 1) / MOST_ROWS;
        size_t rows = (job->rows - r + times - 1) / times;
        for (size_t c = 0; c < job->columns; c += MOST_VECTORS * LANES) {
            struct tile t = {
                .a = (const float *)(const void *)((const uint8_t *)job->a + r * job->a_stride),
                .panels = job->b + c / PANEL * job->panel_bytes,
                .y = (float *)(void *)((uint8_t *)job->y + r * job->y_stride) + c,
                .columns = job->columns - c,
            };
            if (t.columns > LANES)
                sum_two(job, &t, rows);
            else
                sum_one(job, &t, rows);
        }
        r += rows;
    }
}
