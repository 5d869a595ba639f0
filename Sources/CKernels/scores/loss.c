/* Class scores of pixels -> values of the losses and their gradient to the scores.
 *
 * Cost: one exponential a score; two, and a second reading of z, with diversity; 31 comparisons of
 * whole numbers more with a ranked class. Memory: the sums of at most 256 bands, whose borders
 * depend on the number of pixels alone. */
#include "scores/loss_uncommon.h"

/* Labels of 16 pixels, what they weigh, and how sure they are. */
D3K_INLINE void read_labels(const job *j, block *b, int64_t n, int32_t has_uncommon) {
  for (int64_t i = 0; i < 16; i++) {
    const int32_t label = b->counts[i] && j->labels[n + i] < j->classes ? j->labels[n + i] : -1;
    b->label[i] = label;
    b->label_weight[i] = label < 0 ? 0.f : j->class_weights ? j->class_weights[label] : 1.f;
  }
  for (int64_t i = 0; j->pixel_weights && i < 16; i++) {
    if (b->label[i] >= 0) b->label_weight[i] *= (float)j->pixel_weights[n + i] / 255.f;
  }
  for (int64_t i = 0; has_uncommon && j->confidences && i < 16; i++) {
    b->soft[i] = b->label[i] < 0 ? (soft_label){0} : j->soft[j->confidences[n + i]];
  }
}

/* Bands begin..<end. has_uncommon is a constant where this is inlined: what few methods use then
 * makes nothing slower for the others. */
D3K_INLINE void add_bands(const job *j, int64_t begin, int64_t end, int32_t has_uncommon) {
  const int64_t classes = j->classes, bytes = (classes + 7) / 8;
  const int32_t has_sums = j->has_diversity || j->has_max_square;
  block b;
  _Alignas(64) float q[MOST_CLASSES * 16];
  for (int64_t band = begin; band < end; band++) {
    double *out = j->sums + band * (SUMS + classes);
    double sums[SUMS][16] = {{0}};
    if (j->has_values) memset(out, 0, (size_t)(SUMS + classes) * sizeof(double));
    memset(q, 0, (size_t)classes * 16 * sizeof(float));
    const int64_t last = d3k_min(j->pixels, (band + 1) * j->band);
    for (int64_t n = band * j->band, turn = 1; n < last; n += 16, turn++) {
      const int64_t count = d3k_min(16, last - n);
      float negative[16] = {0};
      const float *z = j->z.data + n * j->z.stride;
      int32_t is_ignored[16] = {0};
      d3k_gather16(z, j->z.stride, count, classes, b.d, 16);
      for (int64_t i = 0; i < 16; i++) b.counts[i] = i < count;
      if (j->ignored) { /* lanes behind the last pixel repeat it */
        for (int64_t i = 0; i < 16; i++) is_ignored[i] = i >= count || j->ignored[n + i] != 0;
        for (int64_t i = 0; i < 16; i++) b.counts[i] = !is_ignored[i];
        clear_ignored(is_ignored, classes, b.d);
      }
      softmax(&b, classes, j->inverse_log);
      D3K_VECTOR
      for (int64_t i = 0; i < 16; i++) {
        b.weight[i] = j->has_diversity && b.counts[i] ? d3k_exp(-j->lambda * b.h[i]) : 0.f;
      }
      if (j->labels) read_labels(j, &b, n, has_uncommon);
      if (j->negatives) mark_classes(&b, j->negatives + n * bytes, count, classes, negative);
      if (has_uncommon) add_uncommon(j, &b, n, count, sums);
      if (j->has_values) add_values(j, &b, z, count, negative, has_uncommon, sums);
      if (j->has_values && j->has_diversity) {
        for (int64_t c = 0; c < classes; c++) {
          D3K_VECTOR
          for (int64_t i = 0; i < 16; i++) {
            q[c * 16 + i] += b.e[c * 16 + i] * (b.inverse[i] * b.weight[i]);
          }
        }
        if (turn % FLUSH == 0 || n + 16 >= last) flush(q, out + SUMS, classes);
      }
      if (j->dz == NULL) continue;
      if (has_uncommon) {
        make_gradient(j, &b, j->labels != NULL, j->negatives != NULL, has_sums, 1);
      } else if (j->negatives) {
        make_gradient(j, &b, j->labels != NULL, 1, has_sums, 0);
      } else if (j->labels) {
        make_gradient(j, &b, 1, 0, has_sums, 0);
      } else if (has_sums) {
        make_gradient(j, &b, 0, 0, 1, 0);
      } else {
        make_gradient(j, &b, 0, 0, 0, 0);
      }
      if (j->ignored) clear_ignored(is_ignored, classes, b.e);
      d3k_scatter16(b.e, 16, j->dz + n * j->dz_stride, j->dz_stride, count, classes);
    }
    for (int64_t k = 0; k < (j->has_values ? SUMS : 0); k++) {
      for (int64_t i = 0; i < 16; i++) out[k] += sums[k][i];
    }
  }
}

D3K_CLONED_BODY(run_bands) { add_bands(context, begin, end, 0); }
D3K_CLONED_BODY(run_uncommon_bands) { add_bands(context, begin, end, 1); }

/* Labels that are a class, and the sum of their weights. In four rows, since a pixel mostly has the
 * label of the one before. */
static int64_t count_labels(const job *j, const uint8_t *labels, double *weight) {
  int64_t rows[4][256] = {{0}}, count = 0;
  if (j->ignored) {
    for (int64_t n = 0; n < j->pixels; n++) rows[n % 4][labels[n]] += j->ignored[n] == 0;
  } else {
    for (int64_t n = 0; n < j->pixels; n++) rows[n % 4][labels[n]]++;
  }
  *weight = 0;
  for (int64_t c = 0; c < d3k_min(j->classes, 256); c++) {
    const int64_t own = rows[0][c] + rows[1][c] + rows[2][c] + rows[3][c];
    count += own;
    *weight += (double)own * (j->class_weights ? (double)j->class_weights[c] : 1.);
  }
  return count;
}

/* P and its entropy for each confidence; one class has all of it. */
static void make_soft_labels(int64_t classes, soft_label *soft) {
  for (int32_t byte = 0; byte < 256; byte++) {
    const double own = classes > 1 ? byte / 255. : 1, rest = 1 - own;
    const double other = classes > 1 ? rest / (double)(classes - 1) : 0;
    const double entropy = (own > 0 ? -own * log(own) : 0) + (rest > 0 ? -rest * log(other) : 0);
    soft[byte] = (soft_label){(float)own, (float)other, (float)entropy};
  }
}

size_t d3k_loss_scratch_bytes(int64_t pixels, int64_t classes) {
  return band_sums_bytes(pixels, SUMS + classes) + (size_t)classes * sizeof(float);
}

/* Sums of the bands -> the value, and the slope of each class: log q / log C, of which any constant
 * may be taken off, since it falls out of u_c - sum p u; without the mean they round less. */
static double settle_diversity(const job *j, int64_t bands, double factor) {
  const double inverse_log = j->inverse_log, count = (double)j->counted;
  double logs[MOST_CLASSES], weighted = 0, sum = 0;
  for (int64_t c = 0; c < j->classes; c++) {
    double q = 0;
    for (int64_t band = 0; band < bands; band++) {
      q += j->sums[band * (SUMS + j->classes) + SUMS + c];
    }
    q /= count;
    logs[c] = log(q < FLOOR ? FLOOR : q); /* not-a-number stays */
    weighted += q * logs[c];
    sum += q;
  }
  const double mean = sum > 0 ? weighted / sum : 0;
  for (int64_t c = 0; c < j->classes; c++) {
    j->slopes[c] = (float)((logs[c] - mean) * inverse_log / count * factor);
  }
  return weighted * inverse_log;
}

void d3k_loss(int32_t threads, const d3k_loss_options *options, const d3k_loss_image *image,
              d3k_loss_values *values, void *scratch) {
  const int64_t pixels = image->scores.height * image->scores.width;
  const int64_t classes = image->scores.classes;
  memset(values, 0, sizeof *values);
  if (pixels <= 0 || classes <= 0 || classes > MOST_CLASSES) return;
  const int64_t bands = d3k_ceil_div(pixels, d3k_pixel_band(pixels));
  const int64_t counted = d3k_max(1, count_counted(image->ignored, pixels));
  const double count = (double)counted;
  const float scale = image->scale;
  job j = {.z = image->scores,
           .pixels = pixels,
           .counted = counted,
           .ignored = image->ignored,
           .classes = classes,
           .band = d3k_pixel_band(pixels),
           .labels = options->cross_entropy != 0.f ? image->labels : NULL,
           .negatives = options->negative != 0.f ? image->negatives : NULL,
           .pixel_weights = image->pixel_weights,
           .probabilities = image->probabilities,
           .rank = options->ranked_negative != 0.f && classes > 1 ? options->rank : 0,
           .has_small = options->small_negative != 0.f,
           .has_consistency = image->probabilities && options->consistency != 0.f,
           .has_divergence = image->probabilities && options->divergence != 0.f,
           .small_probability = options->small_probability,
           .class_weights = options->class_weights,
           .dz_stride = image->gradient_stride,
           .has_values = 1,
           .has_diversity = options->diversity != 0.f,
           .has_max_square = options->max_square != 0.f,
           .inverse_log = inverse_log_of(classes),
           .gamma = options->gamma,
           .lambda = options->lambda,
           .focal = (float)((double)options->focal_entropy * scale / count),
           .negative = (float)((double)options->negative * scale / count),
           .entropy = (float)((double)options->entropy * scale / count),
           .max_square = (float)((double)options->max_square * scale / count),
           .ranked = (float)((double)options->ranked_negative * scale / count),
           .small = (float)((double)options->small_negative * scale / count),
           .consistency = (float)((double)options->consistency * scale / count),
           .divergence = (float)((double)options->divergence * scale / count),
           .sums = scratch};
  double weight = 0;
  values->labelled = image->labels ? count_labels(&j, image->labels, &weight) : 0;
  j.cross_entropy = (float)((double)options->cross_entropy * scale / (weight > 0 ? weight : 1));
  soft_label soft[256];
  if (j.labels && image->confidences) {
    make_soft_labels(classes, soft);
    j.confidences = image->confidences;
    j.soft = soft;
  }
  const int32_t has_uncommon =
      j.confidences || j.has_consistency || j.has_divergence || j.rank || j.has_small;
  const d3k_body body = has_uncommon ? run_uncommon_bands : run_bands;
  j.slopes = (float *)(j.sums + bands * (SUMS + classes));
  memset(j.slopes, 0, (size_t)classes * sizeof(float));
  threads = d3k_threads_for(threads, pixels * classes * 8);

  if (!j.has_diversity) j.dz = image->gradient;
  d3k_parallel(threads, bands, body, &j);
  double sums[SUMS] = {0};
  for (int64_t band = 0; band < bands; band++) {
    for (int64_t k = 0; k < SUMS; k++) sums[k] += j.sums[band * (SUMS + classes) + k];
  }
  if (j.has_diversity) {
    values->diversity = settle_diversity(&j, bands, (double)options->diversity * scale);
    j.has_values = 0;
    j.dz = image->gradient;
    if (j.dz) d3k_parallel(threads, bands, body, &j);
  }

  values->mean_entropy = sums[ENTROPY] / count;
  values->cross_entropy = weight > 0 ? sums[CROSS_ENTROPY] / weight : 0;
  values->focal_entropy = options->focal_entropy != 0.f ? sums[FOCAL] / count : 0;
  values->negative = sums[NEGATIVE] / count;
  values->entropy = options->entropy != 0.f ? values->mean_entropy : 0;
  values->max_square = sums[MAX_SQUARE] / count;
  values->ranked_negative = sums[RANKED] / count;
  values->small_negative = sums[SMALL] / count;
  values->consistency = sums[CONSISTENCY] / count;
  values->divergence = sums[DIVERGENCE] / count;
  values->total = options->cross_entropy * values->cross_entropy +
                  options->focal_entropy * values->focal_entropy +
                  options->diversity * values->diversity + options->negative * values->negative +
                  options->entropy * values->entropy + options->max_square * values->max_square +
                  options->ranked_negative * values->ranked_negative +
                  options->small_negative * values->small_negative +
                  options->consistency * values->consistency +
                  options->divergence * values->divergence;
}
