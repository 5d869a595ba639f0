/* See d3f.h. The file of a model is hashed whenever it is loaded. Where the processor has
 * instructions for SHA-256, they take a fifth of the time of the portable code. */
#include <stdbool.h>
#include <string.h>

#include "d3f.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int by) { return x >> by | x << (32 - by); }

static uint32_t big_endian(const unsigned char *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void add_blocks(uint32_t *state, const unsigned char *bytes, size_t count) {
  for (; count > 0; count--, bytes += 64) {
    uint32_t w[64];
    for (int i = 0; i < 16; i++) w[i] = big_endian(bytes + 4 * i);
    for (int i = 16; i < 64; i++) {
      const uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
      const uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
      const uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + round_constants[i] + w[i];
      const uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    const uint32_t sums[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++) state[i] += sums[i];
  }
}

#if defined(__x86_64__)
static bool has_instructions(void) {
  static _Atomic int known; /* 0 = not asked yet, 1 = no, 2 = yes */
  if (known == 0) {
    unsigned a, b, c = 0, d, extended = 0;
    const bool is_told =
        __get_cpuid(1, &a, &b, &c, &d) && __get_cpuid_count(7, 0, &a, &extended, &b, &d);
    known = is_told && (c & bit_SSE4_1) && (extended & bit_SHA) ? 2 : 1;
  }
  return known == 2;
}

/* The instructions keep the state in the order ABEF and CDGH, and compute two rounds at a time. */
__attribute__((target("sha,sse4.1"))) static void add_blocks_fast(uint32_t *state,
                                                                  const unsigned char *bytes,
                                                                  size_t count) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
  const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
  for (; count > 0; count--, bytes += 64) {
    const __m128i old_abef = abef, old_cdgh = cdgh;
    __m128i w[4];
    for (int i = 0; i < 4; i++) {
      w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)bytes + i), swap);
    }
    for (int i = 0; i < 16; i++) {
      const __m128i *constants = (const __m128i *)round_constants + i;
      const __m128i sum = _mm_add_epi32(w[i % 4], _mm_loadu_si128(constants));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
      const __m128i last = w[(i + 3) % 4];
      w[i % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]),
                                                    _mm_alignr_epi8(last, w[(i + 2) % 4], 4)),
                                      last);
    }
    abef = _mm_add_epi32(abef, old_abef), cdgh = _mm_add_epi32(cdgh, old_cdgh);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}
#endif

static void add(uint32_t *state, const unsigned char *bytes, size_t count) {
#if defined(__x86_64__)
  if (has_instructions()) return add_blocks_fast(state, bytes, count);
#endif
  add_blocks(state, bytes, count);
}

d3f_sha256 d3f_sha256_begin(void) {
  return (d3f_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void d3f_sha256_put(d3f_sha256 *hash, const void *bytes, size_t size) {
  const unsigned char *at = bytes;
  const size_t filled = hash->size % 64;
  hash->size += size;
  if (filled + size < 64) {
    if (size > 0) memcpy(hash->rest + filled, at, size);
    return;
  }
  if (filled > 0) {
    memcpy(hash->rest + filled, at, 64 - filled);
    add(hash->state, hash->rest, 1);
    at += 64 - filled, size -= 64 - filled;
  }
  add(hash->state, at, size / 64);
  memcpy(hash->rest, at + size / 64 * 64, size % 64);
}

void d3f_sha256_end(d3f_sha256 *hash, uint8_t *digest) {
  const uint64_t bits = hash->size * 8;
  unsigned char end[72] = {0x80};
  const size_t padding = 1 + (64 + 55 - hash->size % 64) % 64;
  for (int i = 0; i < 8; i++) end[padding + i] = (unsigned char)(bits >> (56 - 8 * i));
  d3f_sha256_put(hash, end, padding + 8);
  for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}
