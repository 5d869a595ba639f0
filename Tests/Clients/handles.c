/* Makes and frees one handle of each kind 1,000 times, in each of the 120 orders of freeing.
 *
 *     handles MODEL.onnx [ROUNDS]
 *
 * What malloc has given and not got back must not grow once each order has come twice, even where
 * a leak checker would still find a pointer to it; under AddressSanitizer nothing may be lost. */
#include <das3.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { KINDS = 5, ORDERS = 120 };

typedef struct handles {
  das3_model *model;
  das3_segmenter *segmenter;
  das3_adapter *adapter;
  das3_online *online;
  das3_evaluator *evaluator;
} handles;

/* All of them in use, so that each holds what it ever holds. */
static das3_status make(handles *h, const char *path, const das3_segmenter_options *small,
                        const das3_adapter_options *trained, const das3_online_options *driven) {
  static uint8_t pixels[32 * 24 * 3], labels[32 * 24];
  das3_image frame = {pixels, 32, 24, 0, DAS3_FORMAT_RGB8};
  das3_segmentation result = {.struct_size = sizeof result, .labels = labels};
  das3_status status = das3_model_load(&h->model, path, NULL);
  if (status == DAS3_OK) status = das3_segmenter_create(&h->segmenter, h->model, small);
  if (status == DAS3_OK) status = das3_segmenter_run(h->segmenter, &frame, &result);
  if (status == DAS3_OK) status = das3_adapter_create(&h->adapter, h->model, trained);
  if (status == DAS3_OK) status = das3_adapter_add_frame(h->adapter, &frame);
  if (status == DAS3_OK) status = das3_adapter_step(h->adapter, NULL);
  if (status == DAS3_OK) status = das3_online_create(&h->online, h->model, driven);
  if (status == DAS3_OK) status = das3_online_run(h->online, &frame, &result);
  if (status == DAS3_OK) status = das3_evaluator_create(&h->evaluator, 9, 255);
  if (status == DAS3_OK) status = das3_evaluator_add(h->evaluator, labels, labels, sizeof labels);
  return status;
}

/* Order `number` of 120, as a mixed-radix number picks it. */
static void end(handles *h, int number) {
  int left[KINDS] = {0, 1, 2, 3, 4};
  for (int count = KINDS; count > 0; number /= count, --count) {
    int pick = number % count, kind = left[pick];
    left[pick] = left[count - 1];
    switch (kind) {
      case 0:
        das3_model_free(h->model);
        break;
      case 1:
        das3_segmenter_free(h->segmenter);
        break;
      case 2:
        das3_adapter_free(h->adapter);
        break;
      case 3:
        das3_online_free(h->online);
        break;
      default:
        das3_evaluator_free(h->evaluator);
    }
  }
}

static size_t bytes_in_use(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

int main(int argc, char **argv) {
  const int rounds = argc > 2 ? atoi(argv[2]) : 1000;
  size_t settled = 0;
  das3_segmenter_options small;
  das3_adapter_options trained;
  das3_online_options driven;
  das3_segmenter_options_init(&small);
  das3_adapter_options_init(&trained);
  small.width = trained.width = 32;
  small.height = trained.height = 24;
  trained.method = DAS3_METHOD_DAS3;
  trained.stages = "a";
  das3_online_options_init(&driven);
  driven.segmenter = &small;
  if (argc < 2) return 2;
  for (int round = 0; round < rounds; ++round) {
    handles h = {0};
    /* The networks that learn take long to make. */
    driven.budget = round % 8 == 0 ? 1 : 0;
    if (make(&h, argv[1], &small, &trained, &driven) != DAS3_OK) {
      fprintf(stderr, "round %d: %s\n", round, das3_last_error());
      return 1;
    }
    end(&h, round % ORDERS);
    if (round == 2 * ORDERS) settled = bytes_in_use();
  }
  const long long growth = (long long)bytes_in_use() - (long long)settled;
  printf("%d rounds, %zu bytes in use, %+lld since round %d\n", rounds, bytes_in_use(), growth,
         2 * ORDERS);
  /* A block lost each round takes 32 bytes; what threads keep for their next malloc is some KB. */
  return rounds > 2 * ORDERS && growth >= 16 * rounds;
}
