/* Probabilities of an enlarged part of an image -> their place in a sum over several parts.
 *
 * Cost: four reads and one addition a value; bound by the memory of both. */
#include "base/internal.h"
#include "d3k_labels.h"

typedef struct job {
  const d3k_part *of;
  const float *x;
  float *sum;
} job;

D3K_CLONED_BODY(add_rows) {
  const job *j = context;
  const d3k_part *of = j->of;
  const d3k_axis *rows = of->rows, *columns = of->columns;
  const int64_t classes = of->classes, line = of->in_width * classes;
  for (int64_t row = begin; row < end; row++) {
    const float *low = j->x + rows->low[row] * line, *high = j->x + rows->high[row] * line;
    float *sum = j->sum + ((of->first_row + row) * of->width + of->first_column) * classes;
    for (int64_t column = 0; column < columns->size; column++, sum += classes) {
      const int64_t left = columns->low[column] * classes, right = columns->high[column] * classes;
      const float across = columns->weight[column], down = rows->weight[row];
      const float share = of->row_shares[row] * of->column_shares[column];
      D3K_VECTOR
      for (int64_t c = 0; c < classes; c++) {
        const float above = low[left + c] + (low[right + c] - low[left + c]) * across;
        const float below = high[left + c] + (high[right + c] - high[left + c]) * across;
        sum[c] += share * (above + (below - above) * down);
      }
    }
  }
}

void d3k_add_part(int32_t threads, const d3k_part *part, const float *x, float *sum) {
  job j = {part, x, sum};
  const int64_t rows = part->rows->size;
  d3k_parallel(d3k_threads_for(threads, rows * part->columns->size * part->classes), rows, add_rows,
               &j);
}
