#include "street.h"

/* #embed costs the compiler milliseconds, and it knows the file: a new network is a new build. As
 * a SwiftPM resource the network would be a file beside the program; as a Swift array literal it
 * would take minutes to compile. */
#pragma clang diagnostic ignored "-Wc23-extensions"
static const unsigned char onnx[] = {
#embed "../../examples/street/street.onnx"
};

const unsigned char *street_onnx(size_t *size) {
  *size = sizeof onnx;
  return onnx;
}
