/* The threads of the process, for kernels: items that any thread may take, with a slot for each. */
#ifndef D3K_THREADS_H
#define D3K_THREADS_H

#include "base/internal.h"

/* More do not help with one frame; slots are bits of a word. */
#define D3K_MOST_THREADS 64

/** slot: from 0 to the number of threads less one; no two threads have the same at the same time.
 */
typedef void (*d3k_item_body)(void *context, int64_t item, int32_t slot);

/** Runs `body` on 0..<count, each once, in any order, on at most `threads` threads, of which the
 *  caller is one. It returns when all have ended. Inside a body it runs all on the caller. */
void d3k_threads_run(int32_t threads, int64_t count, d3k_item_body body, void *context);

#endif /* D3K_THREADS_H */
