// The memory limit of a program's tensors. Apart from the commands, since the test program runop has one too.
#pragma once

#include <cstdint>

namespace vitrail::cli {

// Tensors may take as much memory as the machine (or the container) has, shared by so many processes, or VITRAIL_MEMORY_MB
// mebibytes each (0: no limit); more is Error(kMemory). Error(kValue) for another value of that variable.
void limit_memory(int processes = 1);
// The limit in bytes that limit_memory() has set; 0: none.
int64_t memory_limit();

}  // namespace vitrail::cli
