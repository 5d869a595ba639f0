/* Computes the SHA-256 (FIPS 180-4) of bytes that are added in pieces of any size. */
#ifndef D3F_H
#define D3F_H

#include <stddef.h>
#include <stdint.h>

typedef struct d3f_sha256 {
  uint32_t state[8];
  uint64_t size;          /* bytes so far                                                   */
  unsigned char rest[64]; /* of them, those that do not fill a block yet                    */
} d3f_sha256;

d3f_sha256 d3f_sha256_begin(void);

void d3f_sha256_put(d3f_sha256 *hash, const void *bytes, size_t size);

/** Writes the 32 bytes of the hash. No bytes can be added afterwards. */
void d3f_sha256_end(d3f_sha256 *hash, uint8_t *digest);

#endif /* D3F_H */
