/* Rows of floats -> the same rows through a list of stages, one tile in L1 after the other. */
#include "base/bands.h"
#include "chain/line.h"

/* Floats in a tile: 16 KiB, so that a tile and one operand fit in 32 KiB of L1. */
#define TILE 4096
/* Rows narrower than this are processed several at a time. */
#define NARROW 48
/* Floats of a repeated channel operand: at least PERIOD, at most PERIOD + 16 * NARROW. */
#define PERIOD 512

/* A rectangle of the array: rows `row`.. and channels `channel`... */
typedef struct tile {
  int64_t row, rows, channel, channels;
} tile;

/* Rows that are narrow and contiguous: the operand is repeated so that lines are long. */
static void narrow_channels(const d3k_stage *stage, const tile *t, const float *x, float *y) {
  float first[PERIOD + 16 * NARROW], second[PERIOD + 16 * NARROW];
  /* A whole number of rows and of 16-float vectors. */
  int64_t unit = t->channels;
  while (unit % 16 != 0) unit *= 2;
  const int64_t total = t->rows * t->channels;
  const int64_t period = d3k_min(d3k_ceil_div(PERIOD, unit) * unit, total);
  d3k_repeat(stage->operand + t->channel, t->channels, first, period);
  if (stage->kind == D3K_AFFINE)
    d3k_repeat(stage->operand2 + t->channel, t->channels, second, period);
  for (int64_t i = 0; i < total; i += period) {
    d3k_line_stage(stage, x + i, first, second, y + i, d3k_min(period, total - i));
  }
}

/* One stage over one tile; x and y point at the tile's first value. */
static void stage_tile(const d3k_stage *stage, const tile *t, const float *x, int64_t x_stride,
                       float *y, int64_t y_stride) {
  const int32_t has_operand = stage->kind >= D3K_ADD;
  const int32_t extent = has_operand ? stage->extent : D3K_SCALAR;
  const int32_t is_dense = t->rows == 1 || (x_stride == t->channels && y_stride == t->channels);
  const float *operand = stage->operand, *operand2 = stage->operand2;
  int64_t operand_step = 0;
  if (extent == D3K_CHANNEL) {
    if (is_dense && t->channels < NARROW && t->rows > 2) {
      narrow_channels(stage, t, x, y);
      return;
    }
    operand += t->channel;
    if (operand2) operand2 += t->channel;
  } else if (extent == D3K_FULL) {
    operand_step = stage->operand_stride;
    operand += t->row * operand_step + t->channel;
    if (operand2) operand2 += t->row * operand_step + t->channel;
  }
  if (is_dense && (extent == D3K_SCALAR || t->rows == 1 ||
                   (extent == D3K_FULL && operand_step == t->channels))) {
    d3k_line_stage(stage, x, operand, operand2, y, t->rows * t->channels);
    return;
  }
  for (int64_t r = 0; r < t->rows; r++) {
    d3k_line_stage(stage, x + r * x_stride, operand, operand2, y + r * y_stride, t->channels);
    if (operand) operand += operand_step;
    if (operand2) operand2 += operand_step;
  }
}

/* Every stage over one tile. */
static void run_tile(const d3k_chain *chain, const tile *t, const float *x, int64_t x_stride,
                     float *y, int64_t y_stride) {
  if (chain->count == 0) {
    d3k_copy_rows(x, x_stride, y, y_stride, t->rows, t->channels);
    return;
  }
  const int32_t is_dense = x_stride == t->channels && y_stride == t->channels;
  if (!is_dense && t->channels < NARROW && t->rows > 2) {
    /* Narrow rows with gaps: bring them together, work on long lines, put them back. */
    float dense[TILE];
    d3k_copy_rows(x, x_stride, dense, t->channels, t->rows, t->channels);
    for (int32_t s = 0; s < chain->count; s++) {
      stage_tile(&chain->stages[s], t, dense, t->channels, dense, t->channels);
    }
    d3k_copy_rows(dense, t->channels, y, y_stride, t->rows, t->channels);
    return;
  }
  for (int32_t s = 0; s < chain->count; s++) {
    stage_tile(&chain->stages[s], t, s == 0 ? x : y, s == 0 ? x_stride : y_stride, y, y_stride);
  }
}

typedef struct job {
  const d3k_chain *chain;
  const float *x;
  float *y;
  int64_t x_stride, y_stride, first_row, rows, channels; /* x and y point at first_row */
  int64_t tile_rows, tile_channels, tiles_across;
} job;

static void cut(job *j) {
  j->tile_channels = d3k_min(j->channels, TILE);
  j->tiles_across = d3k_ceil_div(j->channels, j->tile_channels);
  j->tile_rows = TILE / j->tile_channels;
}

static void run_tiles(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  for (int64_t i = begin; i < end; i++) {
    const int64_t row = i / j->tiles_across * j->tile_rows;
    const int64_t channel = i % j->tiles_across * j->tile_channels;
    const tile t = {j->first_row + row, d3k_min(j->tile_rows, j->rows - row), channel,
                    d3k_min(j->tile_channels, j->channels - channel)};
    run_tile(j->chain, &t, j->x + row * j->x_stride + channel, j->x_stride,
             j->y + row * j->y_stride + channel, j->y_stride);
  }
}

void d3k_chain_apply(const d3k_chain *chain, float *y, int64_t y_stride, int64_t row, int64_t rows,
                     int64_t channels) {
  if (chain == NULL || chain->count == 0 || rows <= 0 || channels <= 0) return;
  job j = {.chain = chain,
           .x = y,
           .y = y,
           .x_stride = y_stride,
           .y_stride = y_stride,
           .first_row = row,
           .rows = rows,
           .channels = channels};
  cut(&j);
  run_tiles(&j, 0, d3k_ceil_div(rows, j.tile_rows) * j.tiles_across);
}

int32_t d3k_chain_is_flat(const d3k_chain *chain, int64_t channels) {
  for (int32_t s = 0; s < chain->count; s++) {
    const d3k_stage *stage = &chain->stages[s];
    if (stage->kind < D3K_ADD || stage->extent == D3K_SCALAR) continue;
    if (stage->extent == D3K_CHANNEL || stage->operand_stride != channels) return 0;
  }
  return 1;
}

void d3k_chain_run(int32_t threads, const d3k_chain *chain, const float *x, int64_t x_stride,
                   float *y, int64_t y_stride, int64_t rows, int64_t channels) {
  if (rows <= 0 || channels <= 0) return;
  job j = {.chain = chain,
           .x = x,
           .y = y,
           .x_stride = x_stride,
           .y_stride = y_stride,
           .rows = rows,
           .channels = channels};
  if (x_stride == channels && y_stride == channels && d3k_chain_is_flat(chain, channels)) {
    j.channels *= j.rows;
    j.rows = 1;
    j.x_stride = j.y_stride = j.channels;
  }
  cut(&j);
  const int64_t work = rows * channels * (1 + chain->count);
  d3k_parallel(d3k_threads_for(threads, work), d3k_ceil_div(j.rows, j.tile_rows) * j.tiles_across,
               run_tiles, &j);
}
