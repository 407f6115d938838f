/* Colour: what stains.py measures. Sums are in NumPy's order, but for the correlations', which NumPy
 * leaves to BLAS. */
#include "gate.h"
#include "sums.h"

#include <string.h>

static const float TISSUE = 0.06f, DARK = 0.8f, TINY = 1e-6f;

/* The sum of `TERM` at each pixel i, by way of `work`. */
#define SUM_AT(TERM)                                                                               \
    ({                                                                                             \
        for (long i = 0; i < n; i++) work[i] = TERM;                                               \
        sum_of(work, n, 0);                                                                        \
    })

/* The colour of the lightest fiftieth. */
static void find_ground(const Sample *sample, Colours *found) {
    enum { STEPS = 4, LEVELS = 3 * 255 * STEPS + 1 };
    long n = sample->pixels, counts[LEVELS] = {0}, wanted = (n + 49) / 50, many = 0;
    const float *red = sample->planes, *green = red + n, *blue = green + n;
    for (long i = 0; i < n; i++) counts[(int)((red[i] + green[i] + blue[i]) * STEPS)]++;
    long level = LEVELS;
    while (many < wanted) many += counts[--level];
    double sums[3] = {0}; /* of multiples of a quarter: nothing is rounded */
    float least = (float)level / STEPS;
    for (long i = 0; i < n; i++)
        if (red[i] + green[i] + blue[i] >= least)
            sums[0] += red[i], sums[1] += green[i], sums[2] += blue[i];
    for (int at = 0; at < 3; at++) found->ground[at] = (float)sums[at] / (float)many;
}

static void correlate(const Sample *sample, Colours *found) {
    static const int pairs[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    long n = sample->pixels;
    for (int plane = 0; plane < 3; plane++) {
        const float *values = sample->planes + plane * n;
        float mean = sum_of(values, n, 0) / (float)n;
        found->mean[plane] = mean;
        found->spread[plane] = sqrtf(sum_of_squares(values, n, mean) / (float)n);
    }
    for (int at = 0; at < 3; at++) {
        int one = pairs[at][0], other = pairs[at][1];
        const float *a = sample->planes + one * n, *b = sample->planes + other * n;
        float a_mean = found->mean[one], a_spread = found->spread[one] + 1;
        float b_mean = found->mean[other], b_spread = found->spread[other] + 1;
        double sum = 0;
        for (long i = 0; i < n; i++)
            sum += (double)((a[i] - a_mean) / a_spread) * ((b[i] - b_mean) / b_spread);
        found->correlation[at] = (float)sum / (float)n;
    }
}

static void count_colours(const Sample *sample, Colours *found) {
    long n = sample->pixels, lowest[3] = {0};
    const float *red = sample->planes, *green = red + n, *blue = green + n;
    double saturated = 0; /* of multiples of a quarter */
    memset(sample->cube, 0, CUBE * sizeof *sample->cube);
    for (long i = 0; i < n; i++) {
        float r = red[i], g = green[i], b = blue[i];
        sample->cube[((int)r >> 4) * 256 + ((int)g >> 4) * 16 + ((int)b >> 4)]++;
        float most = r > g ? r : g, least = r < g ? r : g;
        saturated += (most > b ? most : b) - (least < b ? least : b);
        lowest[0] += (r < g) & (r < b);
        lowest[1] += (g < r) & (g < b);
        lowest[2] += (b < r) & (b < g);
    }
    found->saturated = (float)saturated / (float)n;
    for (int at = 0; at < 3; at++) found->lowest[at] = (float)lowest[at];
}

static void find_densities(const Sample *sample, const Colours *found) {
    long n = sample->pixels;
    for (int plane = 0; plane < 3; plane++) {
        const float *from = sample->planes + plane * n;
        float *white = sample->density + plane * n, *raw = white + 3 * n;
        float ground = sample->density_of[(int)found->ground[plane]];
        for (long i = 0; i < n; i++) {
            raw[i] = sample->density_of[(int)from[i]];
            float above = raw[i] - ground;
            white[i] = above > 0 ? above : 0;
        }
    }
}

/* `mean` is the density of all three colours. */
static void find_hues(const float *density, const float *mean, long n, float *restrict x,
                      float *restrict y, float *restrict saturation) {
    const float *red = density, *green = density + n, *blue = density + 2 * n;
    const float height = 0.57735026918962576f;
    for (long i = 0; i < n; i++) {
        float inverse = 1 / (mean[i] + 0.05f);
        x[i] = red[i] * inverse - mean[i] * inverse;
        y[i] = (green[i] - blue[i]) * inverse * height;
        saturation[i] = (float)sqrt((double)x[i] * x[i] + (double)y[i] * y[i]);
    }
}

static void measure_thirds(const float *mean, const float *x, const float *y, long n, float *work,
                           Stain *found) {
    double middle = found->middle[2];
    float edges[THIRDS + 1] = {TISSUE, (float)(0.75 * middle), (float)(1.25 * middle), INFINITY};
    for (int at = 0; at < THIRDS; at++) {
        float low = edges[at], high = edges[at + 1];
        long count = 0;
        for (long i = 0; i < n; i++) count += (mean[i] > low) & (mean[i] <= high);
        found->inside[at] = (float)count;
        found->x[at] = SUM_AT(x[i] * (float)((mean[i] > low) & (mean[i] <= high)));
        found->y[at] = SUM_AT(y[i] * (float)((mean[i] > low) & (mean[i] <= high)));
    }
}

static void measure_stain(const Sample *sample, int which, float *mean, float *work, Stain *found) {
    long n = sample->pixels;
    const float *density = sample->density + 3 * which * n;
    float *share = sample->share + which * n, *x = sample->x + which * n;
    float *y = sample->y + which * n, *saturation = sample->saturation + which * n;
    find_hues(density, mean, n, x, y, saturation);
    float total = SUM_AT(mean[i] > TISSUE ? mean[i] : 0) + TINY;
    for (long i = 0; i < n; i++) share[i] = (mean[i] > TISSUE ? mean[i] : 0) / total;
    float mx = SUM_AT(share[i] * x[i]), my = SUM_AT(share[i] * y[i]);
    float md = SUM_AT(share[i] * mean[i]);
    found->middle[0] = mx, found->middle[1] = my, found->middle[2] = md;
    found->spread[0] = sqrtf(SUM_AT(share[i] * (x[i] - mx) * (x[i] - mx)));
    found->spread[1] = sqrtf(SUM_AT(share[i] * (y[i] - my) * (y[i] - my)));
    found->spread[2] = sqrtf(SUM_AT(share[i] * (mean[i] - md) * (mean[i] - md)));
    found->products[0] = SUM_AT(share[i] * (mean[i] - md) * (x[i] - mx));
    found->products[1] = SUM_AT(share[i] * (mean[i] - md) * (y[i] - my));
    found->products[2] = SUM_AT(share[i] * (x[i] - mx) * (y[i] - my));
    found->saturation = SUM_AT(share[i] * saturation[i]);
    found->grey = SUM_AT(share[i] * (float)(saturation[i] < 0.1f));
    measure_thirds(mean, x, y, n, work, found);
}

void MEASURE_COLOUR(const Sample *sample) {
    long n = sample->pixels;
    Colours *found = sample->found;
    float *mean = sample->work, *work = mean + n;
    find_ground(sample, found);
    correlate(sample, found);
    count_colours(sample, found);
    find_densities(sample, found);
    long tissue = 0, dark = 0;
    for (int which = 0; which < 2; which++) {
        const float *density = sample->density + 3 * which * n;
        for (long i = 0; i < n; i++) {
            mean[i] = (density[i] + density[n + i] + density[2 * n + i]) / 3;
            tissue += (which == 0) & (mean[i] > TISSUE);
            dark += (which == 0) & (mean[i] > DARK);
        }
        measure_stain(sample, which, mean, work, &found->stains[which]);
    }
    found->tissue = (float)tissue;
    found->dark = (float)dark;
}
