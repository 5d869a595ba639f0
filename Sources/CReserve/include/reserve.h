/* A reserve of memory for small allocations when the system has none left.
 *
 * The allocator of Swift ends the process where malloc fails. Therefore libdas3.so is linked with
 * -Wl,--wrap for malloc and related functions, which then allocate from the reserve. The running
 * call can end, and the next call is refused with DAS3_E_MEMORY while the reserve is low. Large
 * arrays do not use the reserve: AddressSpace.swift checks the memory for them beforehand. */
#ifndef DAS3_RESERVE_H
#define DAS3_RESERVE_H

#include <stdbool.h>

/* Whether half of the reserve is in use. It costs one load from memory. */
bool d3m_reserve_is_low(void);

#endif
