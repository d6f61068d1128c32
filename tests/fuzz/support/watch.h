// What ends a fuzzing process: a handler that says which input did it.
#pragma once

namespace vitrail::fuzz {

// Calls `report` once when the process dies of a signal, of a sanitizer's finding, or of the limit below; it may not allocate.
void on_death(void (*report)());
// The process dies unless this is called again within so much processor time (not wall time: the machine may be busy). 0: no
// limit any more.
void allow_seconds(int seconds);

}  // namespace vitrail::fuzz
