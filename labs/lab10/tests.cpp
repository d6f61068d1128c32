// Lab 10: what work costs, and how the same result costs less. Operations, bytes and allocations are counted; nothing is timed.
#include "labs/lab10/tests_attention.h"
#include "labs/lab10/tests_checkpoint.h"
#include "labs/lab10/tests_costs.h"
#include "labs/lab10/tests_fused.h"
#include "labs/lab10/tests_machine.h"
#include "labs/lab10/tests_memory.h"

// Counted in this program alone (labs/lab10/counted_memory.h).
void* operator new(size_t bytes) { return lab::taken(bytes); }
void operator delete(void* data) noexcept { lab::given_back(data); }
void operator delete(void* data, size_t) noexcept { lab::given_back(data); }
