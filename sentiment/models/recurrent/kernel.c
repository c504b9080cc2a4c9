/* The recurrence of RNN, LSTM and GRU layers over packed sequences, forward and backward.
 *
 * Rows are laid out as in PyTorch's PackedSequence: step by step, sizes[t] rows at step t, the
 * sequences sorted by decreasing length. Row `i` of a step is sequence `i`, so the sequences that
 * are alive at a step are always its first rows, and no row of padding is ever computed.
 *
 * Arrays, all float32 and contiguous (D directions, N packed rows, B sequences, H hidden units):
 *
 *     gates  (D, N, G, P)   P is H rounded up to whole vectors, G the slots per unit of the cell
 *     prev   (S, D, N, P)   the state before each row: h, and for the LSTM also c (S = 2)
 *     state  (S, D, B, P)   forward: initial states in, final states out
 *                           backward: gradient of the final states in, of the initial states out
 *     panels (D, ...)       recurrent weights in the order that `multiply` reads them
 *     bias   forward (D, G, P); backward (D, shares, G, P), the gradient of the bias, added to
 *     out    (N, D, H)      forward: the hidden states; backward: their gradient, only read
 *
 * and for a layer that is small enough for the caches, else NULL:
 *
 *     inputs  (N, E)        the features
 *     inward  (D, ...)      input weights in the order that `multiply` reads them
 *     d_input (D, N, W)     their gradient, W is E rounded up to whole vectors; NULL: not wanted
 *     d_weight (D, shares, E + P, G, P)  gradients of both weights, transposed
 *     scratch (D, shares, BLOCK, E + P + COLS * LANES)
 *
 * Slots, each (P,) wide: LSTM i f g o, RNN one, GRU hn r z n where hn is the hidden state's part of
 * n. The hidden state feeds the first slots, the input the last. Forward leaves the activations in
 * them, and without `inputs` finds their projections there; backward finds the activations and
 * leaves the gradients of the sums that entered the activations.
 *
 * A task is one direction and one share of the sequences: sequences never meet in a recurrence, so
 * tasks need neither locks nor barriers. Task `share` of `shares` takes every `shares`-th row, by
 * which all tasks get as many long sequences as short ones.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A tile of ROWS x COLS vectors is what the registers hold while a matrix product runs: enough sums
 * in flight to hide the latency of multiply-add, few enough to leave room for the operands. */
#if defined(__AVX512F__)
enum { LANES = 16, ROWS = 6 };
#elif defined(__AVX__)
enum { LANES = 8, ROWS = 3 };
#elif defined(__aarch64__)
enum { LANES = 4, ROWS = 6 };
#else
enum { LANES = 4, ROWS = 3 };
#endif
enum { COLS = 4, DEPTH = 512 }; /* DEPTH x COLS vectors of weights stay in the second-level cache */
enum { BLOCK = 128 };           /* rows that share a pass over the gradients of the weights */
enum { TANH, RELU, LSTM, GRU };

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef ptrdiff_t idx;

idx sentiment_lanes(void) { return LANES; }
idx sentiment_block(void) { return BLOCK; }

/* ---- matrix product ------------------------------------------------------------------------- */

/* out[r][c] = (fresh ? 0 : out[r][c]) + sum over k of a[r][k] * w[k][c] for R rows and C vectors; R and
 * C are constants at every call, so that the sums live in registers. Rows of `a` lie `ra` floats
 * apart, their elements `ka`, vectors of `out` lie `step` apart. */
static inline __attribute__((always_inline)) void tile(
    const int R, const int C, idx K, const float *a, idx ra, idx ka, const vec *w, float *out,
    idx ldo, idx step, int fresh) {
  vec sum[ROWS][COLS];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int c = 0; c < C; c++)
      sum[r][c] = fresh ? (vec){0} : *(vec *)(out + r * ldo + c * step);
  for (idx k = 0; k < K; k++, w += C, a += ka) {
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      const float factor = a[r * ra];
#pragma GCC unroll 8
      for (int c = 0; c < C; c++) sum[r][c] += w[c] * factor;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) *(vec *)(out + r * ldo + c * step) = sum[r][c];
}

/* The same for any number of rows: whole tiles, then what is left. */
static inline __attribute__((always_inline)) void columns(
    const int C, idx n, idx K, const float *a, idx ra, idx ka, const vec *w, float *out, idx ldo,
    idx step, int fresh) {
  for (; n >= ROWS; n -= ROWS, a += ROWS * ra, out += ROWS * ldo)
    tile(ROWS, C, K, a, ra, ka, w, out, ldo, step, fresh);
  switch (n) { /* a case that ROWS rules out never runs; the 1 keeps it within bounds */
    case 5: tile(5 < ROWS ? 5 : 1, C, K, a, ra, ka, w, out, ldo, step, fresh); break;
    case 4: tile(4 < ROWS ? 4 : 1, C, K, a, ra, ka, w, out, ldo, step, fresh); break;
    case 3: tile(3 < ROWS ? 3 : 1, C, K, a, ra, ka, w, out, ldo, step, fresh); break;
    case 2: tile(2, C, K, a, ra, ka, w, out, ldo, step, fresh); break;
    case 1: tile(1, C, K, a, ra, ka, w, out, ldo, step, fresh); break;
  }
}

/* out (n, C vectors) = or += a (n, K) times one panel of weights (K, C vectors). */
static void multiply(
    int C, idx n, idx K, const float *a, idx ra, idx ka, const float *panel, float *out, idx ldo,
    idx step, int fresh) {
  for (idx k = 0; k < K; k += DEPTH, fresh = 0) {
    const idx depth = K - k < DEPTH ? K - k : DEPTH;
    const vec *w = (const vec *)(panel + k * C * LANES);
    switch (C) {
      case 4: columns(4, n, depth, a + k * ka, ra, ka, w, out, ldo, step, fresh); break;
      case 3: columns(3, n, depth, a + k * ka, ra, ka, w, out, ldo, step, fresh); break;
      case 2: columns(2, n, depth, a + k * ka, ra, ka, w, out, ldo, step, fresh); break;
      case 1: columns(1, n, depth, a + k * ka, ra, ka, w, out, ldo, step, fresh); break;
    }
  }
}

/* ---- activations ---------------------------------------------------------------------------- */

/* exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1) with x = n log 2 + r, |r| <= log(2) / 2. Adding 1.5 *
 * 2^23 rounds x / log 2 to a whole number and leaves it in the low bits of the sum; the Taylor
 * series to r^7 is then exact to a rounding. |x| must stay below 88; NaN stays NaN. */
static inline float expm1_small(float x) {
  union { float value; int32_t bits; } shifted, power;
  shifted.value = x * 1.44269504f + 12582912.0f;
  const float n = shifted.value - 12582912.0f;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  power.bits = (int32_t)(((uint32_t)shifted.bits << 23) + 0x3f800000); /* wraps for a NaN */
  float series = 1.0f / 5040;
  series = series * r + 1.0f / 720;
  series = series * r + 1.0f / 120;
  series = series * r + 1.0f / 24;
  series = series * r + 1.0f / 6;
  series = series * r + 0.5f;
  series = series * r * r + r;
  return power.value * series + (power.value - 1.0f);
}

static inline float clamp(float x, float limit) {
  x = x > limit ? limit : x;
  return x < -limit ? -limit : x;
}

static inline float sigmoid(float x) { return 1.0f / (2.0f + expm1_small(clamp(-x, 80.0f))); }

static inline float tangent(float x) { /* accurate near zero too, as nothing cancels there */
  const float e = expm1_small(clamp(2.0f * x, 40.0f));
  return e / (e + 2.0f);
}

/* ---- cells ---------------------------------------------------------------------------------- */

/* One row and `width` units, whole vectors of them: gates from sums to activations, and the new
 * state from the previous one. */
static inline void cell_forward(
    int cell, idx width, idx P, float *restrict gate, const float *restrict bias,
    const float *restrict h_prev, const float *restrict c_prev, float *restrict h,
    float *restrict c) {
  float *g0 = gate, *g1 = gate + P, *g2 = gate + 2 * P, *g3 = gate + 3 * P;
  const float *b0 = bias, *b1 = bias + P, *b2 = bias + 2 * P, *b3 = bias + 3 * P;
  if (cell == LSTM) {
#pragma omp simd
    for (idx j = 0; j < LANES; j++) {
      const float i = sigmoid(g0[j] + b0[j]), f = sigmoid(g1[j] + b1[j]);
      const float g = tangent(g2[j] + b2[j]), o = sigmoid(g3[j] + b3[j]);
      const float now = f * c_prev[j] + i * g;
      g0[j] = i, g1[j] = f, g2[j] = g, g3[j] = o;
      c[j] = now, h[j] = o * tangent(now);
    }
  } else if (cell == GRU) {
#pragma omp simd
    for (idx j = 0; j < LANES; j++) {
      const float hn = g0[j] + b0[j], r = sigmoid(g1[j] + b1[j]), z = sigmoid(g2[j] + b2[j]);
      const float n = tangent(g3[j] + b3[j] + r * hn);
      g0[j] = hn, g1[j] = r, g2[j] = z, g3[j] = n;
      h[j] = n + z * (h_prev[j] - n);
    }
  } else {
    for (idx k = 0; k < width; k += LANES)
#pragma omp simd
      for (idx j = k; j < k + LANES; j++) {
        const float x = g0[j] + b0[j];
        h[j] = g0[j] = cell == TANH ? tangent(x) : (x < 0 ? 0 : x);
      }
  }
}

/* One row: gates from activations to gradients, which also add up in `bias`; `dh` and `dc` from the
 * gradient of the new state to that of the previous one, except what reaches the previous hidden
 * state through the recurrent weights. */
static inline void cell_backward(
    int cell, idx P, float *restrict gate, float *restrict bias, const float *restrict h_prev,
    const float *restrict c_prev, float *restrict dh, float *restrict dc) {
  float *g0 = gate, *g1 = gate + P, *g2 = gate + 2 * P, *g3 = gate + 3 * P;
  float *b0 = bias, *b1 = bias + P, *b2 = bias + 2 * P, *b3 = bias + 3 * P;
  if (cell == LSTM) {
#pragma omp simd
    for (idx j = 0; j < P; j++) {
      const float i = g0[j], f = g1[j], g = g2[j], o = g3[j];
      const float tanh_c = tangent(f * c_prev[j] + i * g);
      const float d_c = dc[j] + dh[j] * o * (1 - tanh_c * tanh_c);
      b0[j] += g0[j] = d_c * g * i * (1 - i);
      b1[j] += g1[j] = d_c * c_prev[j] * f * (1 - f);
      b2[j] += g2[j] = d_c * i * (1 - g * g);
      b3[j] += g3[j] = dh[j] * tanh_c * o * (1 - o);
      dc[j] = d_c * f, dh[j] = 0;
    }
  } else if (cell == GRU) {
#pragma omp simd
    for (idx j = 0; j < P; j++) {
      const float hn = g0[j], r = g1[j], z = g2[j], n = g3[j];
      const float dn = dh[j] * (1 - z) * (1 - n * n);
      b0[j] += g0[j] = dn * r;
      b1[j] += g1[j] = dn * hn * r * (1 - r);
      b2[j] += g2[j] = dh[j] * (h_prev[j] - n) * z * (1 - z);
      b3[j] += g3[j] = dn;
      dh[j] *= z;
    }
  } else {
#pragma omp simd
    for (idx j = 0; j < P; j++) {
      b0[j] += g0[j] = cell == TANH ? dh[j] * (1 - g0[j] * g0[j]) : (g0[j] <= 0 ? 0 : dh[j]);
      dh[j] = 0;
    }
  }
}

/* ---- recurrence ----------------------------------------------------------------------------- */

typedef struct {
  idx cell, D, shares, T, N, B, H, P, E;
  const int64_t *sizes;
  float *gates, *prev, *state;
  const float *panels;
  float *bias, *out;
  const float *inputs, *inward;
  float *d_input, *d_weight, *scratch;
} Layer;

static inline idx slots_of(idx cell) { return cell == LSTM || cell == GRU ? 4 : 1; }
static inline idx least(idx a, idx b) { return a < b ? a : b; }
static inline idx whole_vectors(idx size) { return (size + LANES - 1) / LANES * LANES; }

static void forward(const Layer *l, idx d, idx share) {
  const idx D = l->D, T = l->T, N = l->N, B = l->B, H = l->H, P = l->P, stride = l->shares;
  const idx G = slots_of(l->cell), recurrent = l->cell == GRU ? 3 : G; /* slots that h feeds */
  const idx S = l->cell == LSTM ? 2 : 1, shift = G - recurrent, E = l->E;
  float *gates = l->gates + d * N * G * P;
  float *prev = l->prev + d * N * P, *state = l->state + d * B * P; /* + D * ... leads to c */
  const float *panels = l->panels + d * recurrent * P * P, *bias = l->bias + d * G * P;
  const float *inward = l->inward + d * recurrent * P * E; /* the input feeds as many slots */

  for (idx s = 0, start = d ? N : 0, before = 0; s < T; s++) {
    const idx t = d ? T - 1 - s : s, n = l->sizes[t];
    const idx after = s + 1 == T ? 0 : l->sizes[d ? t - 1 : t + 1];
    if (d) start -= n;                                    /* first packed row of this step */
    const idx next = d ? start - after : start + n;       /* and of the step that follows */
    const idx mine = n > share ? (n - share + stride - 1) / stride : 0;

    for (idx k = 0; k < S; k++) /* sequences that begin here */
      for (idx i = share; i < n; i += stride)
        if (i >= before)
          memcpy(prev + (k * D * N + start + i) * P, state + (k * D * B + i) * P, 4 * P);

    /* Panel by panel, so that its weights stay in the cache for all rows. A panel of a gated cell
     * is all gates of one vector of units, by which their state can follow at once. */
    const idx units = G > 1 ? LANES : COLS * LANES;
    for (idx j = 0; j < P; j += units) {
      const idx width = least(units, P - j), first = start + share;
      const int C = (int)(G > 1 ? recurrent : width / LANES);
      const idx step = G > 1 ? P : LANES;
      float *sums = gates + first * G * P + j;
      if (l->inputs) {
        if (shift)
          for (idx i = 0; i < mine; i++) memset(sums + i * stride * G * P, 0, 4 * width);
        multiply(C, mine, E, l->inputs + first * E, stride * E, 1, inward + j * recurrent * E,
                 sums + shift * P, stride * G * P, step, 1);
      }
      multiply(C, mine, P, prev + first * P, stride * P, 1, panels + j * recurrent * P, sums,
               stride * G * P, step, 0);
      for (idx i = share; i < n; i += stride) {
        for (idx g = 0; j + width > H && g < G; g++) /* infinity times the zeros of what fills up */
          memset(gates + ((start + i) * G + g) * P + H, 0, 4 * (P - H));
        float *now = prev + (start + i) * P + j;
        float *then = i < after ? prev + (next + i) * P + j : state + i * P + j;
        const idx c_then = i < after ? D * N * P : D * B * P;
        if (i < after)
          for (idx g = 0; g < G; g++) __builtin_prefetch(gates + ((next + i) * G + g) * P + j, 1, 2);
        cell_forward(l->cell, width, P, gates + (start + i) * G * P + j, bias + j, now,
                     now + (S - 1) * D * N * P, then, then + (S - 1) * c_then);
        if (j < H)
          memcpy(l->out + ((start + i) * D + d) * H + j, then, 4 * least(width, H - j));
      }
    }
    if (!d) start += n;
    before = n;
  }
}

/* Add what `count` rows give to the gradients of both weights, or begin them. Rows are gathered
 * until they are many enough to pay for a pass over the gradients, and still in the cache. */
static void weigh(const Layer *l, idx d, idx share, const idx *rows, idx count, int fresh) {
  const idx N = l->N, P = l->P, E = l->E, G = slots_of(l->cell);
  const idx recurrent = l->cell == GRU ? 3 : G, task = d * l->shares + share;
  const float *gates = l->gates + d * N * G * P, *prev = l->prev + d * N * P;
  float *d_weight = l->d_weight + task * (E + P) * G * P;
  float *left = l->scratch + task * BLOCK * (E + P + COLS * LANES), *panel = left + BLOCK * (E + P);
  for (int hidden = 0; hidden < 2; hidden++, d_weight += E * G * P) {
    const idx K = hidden ? P : E, first = hidden ? 0 : G - recurrent, last = first + recurrent;
    for (idx k = 0; k < count; k++)
      memcpy(left + k * K, (hidden ? prev : l->inputs) + rows[k] * K, 4 * K);
    for (idx j = first * P; j < last * P; j += COLS * LANES) {
      const idx C = least(COLS, (last * P - j) / LANES);
      for (idx k = 0; k < count; k++)
        memcpy(panel + k * C * LANES, gates + rows[k] * G * P + j, 4 * C * LANES);
      multiply((int)C, K, count, left, 1, K, panel, d_weight + j, G * P, LANES, fresh);
    }
  }
}

static void backward(const Layer *l, idx d, idx share) {
  const idx D = l->D, T = l->T, N = l->N, B = l->B, H = l->H, P = l->P, stride = l->shares;
  const idx G = slots_of(l->cell), recurrent = l->cell == GRU ? 3 : G;
  const idx S = l->cell == LSTM ? 2 : 1, shift = G - recurrent, E = l->E, W = whole_vectors(E);
  idx rows[BLOCK], count = 0;
  int fresh = 1;
  float *gates = l->gates + d * N * G * P, *bias = l->bias + (d * stride + share) * G * P;
  float *prev = l->prev + d * N * P, *state = l->state + d * B * P;
  const float *panels = l->panels + d * recurrent * P * P;

  for (idx s = T - 1, start = d ? 0 : N; s >= 0; s--) {
    const idx t = d ? T - 1 - s : s, n = l->sizes[t];
    if (!d) start -= n;
    const idx mine = n > share ? (n - share + stride - 1) / stride : 0;
    for (idx i = share; i < n; i += stride) {
      float *dh = state + i * P, *h_prev = prev + (start + i) * P;
      const float *d_out = l->out + ((start + i) * D + d) * H;
      for (idx j = 0; j < H; j++) dh[j] += d_out[j];
      for (idx k = 0; k < S && P > H; k++) memset(dh + k * D * B * P + H, 0, 4 * (P - H));
      cell_backward(l->cell, P, gates + (start + i) * G * P, bias, h_prev,
                    h_prev + (S - 1) * D * N * P, dh, dh + (S - 1) * D * B * P);
    }
    for (idx j = 0; j < P; j += COLS * LANES)
      multiply((int)least(COLS, (P - j) / LANES), mine, recurrent * P,
               gates + (start + share) * G * P, stride * G * P, 1, panels + j * recurrent * P,
               state + share * P + j, stride * P, LANES, 0);
    for (idx j = 0; l->d_input && j < W; j += COLS * LANES)
      multiply((int)least(COLS, (W - j) / LANES), mine, recurrent * P,
               gates + ((start + share) * G + shift) * P, stride * G * P, 1,
               l->inward + (d * W + j) * recurrent * P,
               l->d_input + (d * N + start + share) * W + j, stride * W, LANES, 1);
    for (idx i = share; l->inputs && i < n; i += stride) {
      rows[count++] = start + i;
      if (count == BLOCK) weigh(l, d, share, rows, count, fresh), count = fresh = 0;
    }
    if (d) start += n;
  }
  if (count) weigh(l, d, share, rows, count, fresh);
}

/* ---- pooling -------------------------------------------------------------------------------- */

/* Of N packed rows of D numbers, the largest and the mean of each sequence, (B, D) both, and `where`,
 * the rows of the largest. A task is a range of the D columns. Backward finds the gradients of both
 * and writes that of the rows. */
typedef struct {
  idx tasks, T, B, D;
  const int64_t *sizes;
  float *data, *largest, *mean;
  int32_t *where;
} Pool;

static void pool_forward(const void *job, idx task) {
  const Pool *p = job;
  const idx D = p->D, first = task * D / p->tasks, last = (task + 1) * D / p->tasks;
  for (idx t = 0, row = 0; t < p->T; t++)
    for (idx i = 0; i < p->sizes[t]; i++, row++) {
      const float *restrict x = p->data + row * D;
      float *restrict largest = p->largest + i * D, *restrict sum = p->mean + i * D;
      int32_t *restrict where = p->where + i * D;
#pragma omp simd
      for (idx j = first; j < last; j++) {
        const int more = !t || x[j] > largest[j] || x[j] != x[j]; /* once NaN, always NaN */
        largest[j] = more ? x[j] : largest[j];
        where[j] = more ? (int32_t)row : where[j];
        sum[j] = t ? sum[j] + x[j] : x[j];
      }
    }
  for (idx i = 0, steps = p->T; i < p->B; i++) {
    while (p->sizes[steps - 1] <= i) steps--;
    for (idx j = first; j < last; j++) p->mean[i * D + j] /= (float)steps;
  }
}

static void pool_backward(const void *job, idx task) {
  const Pool *p = job;
  const idx D = p->D, first = task * D / p->tasks, last = (task + 1) * D / p->tasks;
  for (idx i = 0, steps = p->T; i < p->B; i++) {
    while (p->sizes[steps - 1] <= i) steps--;
    for (idx j = first; j < last; j++) p->mean[i * D + j] /= (float)steps;
  }
  for (idx t = 0, row = 0; t < p->T; t++)
    for (idx i = 0; i < p->sizes[t]; i++, row++)
      memcpy(p->data + row * D + first, p->mean + i * D + first, 4 * (last - first));
  for (idx i = 0; i < p->B; i++)
    for (idx j = first; j < last; j++)
      p->data[p->where[i * D + j] * D + j] += p->largest[i * D + j];
}

/* ---- threads -------------------------------------------------------------------------------- */

/* Gradients fade into denormal numbers, which are slow by a factor of a hundred; a thread treats
 * them as zero while it works here. */
#if defined(__SSE__)
#include <xmmintrin.h>
static uint64_t flush_denormals(void) {
  const unsigned mode = _mm_getcsr();
  _mm_setcsr(mode | 0x8040);
  return mode;
}
static void restore(uint64_t mode) { _mm_setcsr((unsigned)mode); }
#elif defined(__aarch64__)
static void restore(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
static uint64_t flush_denormals(void) {
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  restore(mode | 1 << 24);
  return mode;
}
#else
static uint64_t flush_denormals(void) { return 0; }
static void restore(uint64_t mode) { (void)mode; }
#endif

typedef struct {
  void (*run)(const void *job, idx task);
  const void *job;
  idx tasks, taken; /* tasks in all, and begun so far */
} Queue;

/* What every thread does: take tasks until none is left. */
static void work(void *argument) {
  Queue *queue = argument;
  const uint64_t mode = flush_denormals();
  for (idx k; (k = __atomic_fetch_add(&queue->taken, 1, __ATOMIC_RELAXED)) < queue->tasks;)
    queue->run(queue->job, k);
  restore(mode);
}

static void *work_alone(void *argument) {
  work(argument);
  return NULL;
}

/* PyTorch's OpenMP threads keep spinning for a while after each of its operations and would slow
 * down any other thread on their cores; so take these, where the process has them. */
#if defined(__linux__)
extern void GOMP_parallel(void (*)(void *), void *, unsigned, unsigned) __attribute__((weak));
#else
static void (*const GOMP_parallel)(void (*)(void *), void *, unsigned, unsigned) = NULL;
#endif

static void share_out(void (*run)(const void *, idx), const void *job, idx tasks, idx threads) {
  Queue queue = {run, job, tasks, 0};
  const idx team = least(threads, tasks);
  if (team > 1 && GOMP_parallel) {
    GOMP_parallel(work, &queue, (unsigned)team, 0);
    return;
  }
  pthread_t helpers[team];
  idx started = 0; /* fewer than wished for if the system grants no more */
  while (started < team - 1 && !pthread_create(&helpers[started], NULL, work_alone, &queue))
    started++;
  work(&queue);
  for (idx k = 0; k < started; k++) pthread_join(helpers[k], NULL);
}

/* ---- what is called -------------------------------------------------------------------------- */

static void run_forward(const void *job, idx task) {
  const Layer *layer = job;
  forward(layer, task / layer->shares, task % layer->shares);
}

static void run_backward(const void *job, idx task) {
  const Layer *layer = job;
  backward(layer, task / layer->shares, task % layer->shares);
}

void sentiment_recur(
    idx is_backward, idx threads, idx cell, idx D, idx shares, idx T, idx N, idx B, idx H, idx P,
    idx E, const int64_t *sizes, float *gates, float *prev, float *state, const float *panels,
    float *bias, float *out, const float *inputs, const float *inward, float *d_input,
    float *d_weight, float *scratch) {
  const Layer layer = {cell, D, shares, T, N, B, H, P, E, sizes, gates, prev, state, panels, bias,
                       out, inputs, inward, d_input, d_weight, scratch};
  share_out(is_backward ? run_backward : run_forward, &layer, D * shares, threads);
}

void sentiment_pool(
    idx is_backward, idx threads, idx T, idx B, idx D, const int64_t *sizes, float *data,
    float *largest, float *mean, int32_t *where) {
  const Pool pool = {threads, T, B, D, sizes, data, largest, mean, where};
  share_out(is_backward ? pool_backward : pool_forward, &pool, threads, threads);
}
