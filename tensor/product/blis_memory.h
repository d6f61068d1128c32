// The memory of BLIS. BLIS ends the process where malloc refuses it something; here it gets a reserve then, and the caller an
// Error when the product is done.
#pragma once

namespace vitrail::detail {

// Sets address space aside (nothing of it is touched before malloc refuses). Before the first use of BLIS.
// Error(kMemory) where the system refuses even that.
void reserve_blis_memory(int threads);
// Throws Error(kMemory) if BLIS needed the reserve on this thread since the last call. To be called after each product.
void check_blis_memory();

}  // namespace vitrail::detail
