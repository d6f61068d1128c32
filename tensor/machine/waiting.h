// How a thread waits for the others at the end of a parallel region.
#pragma once

namespace vitrail {

// libgomp spins for milliseconds by default. If another program occupies the processor of the thread that is waited for,
// training becomes several times slower. Without any spinning, a thread sleeps and wakes a thousand times in a training step.
// So a program that links this library waits for some ten microseconds, then sleeps (docs/results.md, "Waiting"). A user's own
// OMP_WAIT_POLICY, GOMP_SPINCOUNT or KMP_BLOCKTIME stays.
//
// libgomp reads its settings in a constructor, once. A constructor of an earlier priority sets GOMP_SPINCOUNT, which works
// where libgomp is linked statically, as the Makefile does; clang's runtime can be set later, by this function.
void choose_waiting();

}  // namespace vitrail
