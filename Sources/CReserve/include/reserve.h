/* Memory for the moment when there is none.
 *
 * Swift's allocator ends the process where malloc fails. libdas3.so is linked with -Wl,--wrap for
 * malloc and its kin, so that they answer from a reserve then: the call comes to an end, and the
 * next one is refused with DAS3_E_MEMORY while the reserve is low. Large arrays are asked for
 * beforehand (AddressSpace.swift); the reserve is for what lies between. */
#ifndef DAS3_RESERVE_H
#define DAS3_RESERVE_H

#include <stdbool.h>

/* Whether half of the reserve is taken. Costs a load. */
bool d3m_reserve_is_low(void);

#endif
