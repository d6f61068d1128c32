// Out-of-memory handling for BLIS, which ends the process if malloc fails. Here BLIS gets memory from a reserve instead, and
// the caller gets an Error after the product.
#pragma once

namespace vitrail::detail {

// Reserves address space; none of it is touched before malloc fails. Call it before the first use of BLIS.
// Error(kMemory) if the system refuses the reserve.
void reserve_blis_memory(int threads);
// Throws Error(kMemory) if BLIS has used the reserve on this thread since the last call. Call it after each product.
void check_blis_memory();

}  // namespace vitrail::detail
