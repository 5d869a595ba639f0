/* The network of `das3-run demo`, inside the program: the demo downloads and looks for nothing. */
#ifndef STREET_H
#define STREET_H

#include <stddef.h>

/** The bytes of examples/street/street.onnx; never freed. */
const unsigned char *street_onnx(size_t *size);

#endif
