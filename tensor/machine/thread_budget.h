// How many threads run at once, where others run beside the one that computes: the loader's workers.
//
// The rule: never more than num_threads() at a time. The thread that computes counts always; while it is in a parallel region,
// so do the other threads of its team. A worker counts while it holds a thread of the budget: it asks, and gets one at the
// border of a region, whose next team is so much smaller. So the processors are never shared by more threads than they were
// asked for, and no chunk of work changes its borders: results do not depend on any of this. One thread is always left for the
// computation, so with num_threads() == 1 no worker ever runs.
//
// The rule counts one computing thread. A program that computes on several threads at once counts each of them alone.
#pragma once

#include <atomic>

namespace vitrail {

// Declares a worker thread. While it lives, parallel_for on this thread runs serially, and regions of other threads follow the
// budget.
class WorkerScope {
 public:
  WorkerScope();
  ~WorkerScope();
  WorkerScope(const WorkerScope&) = delete;
  WorkerScope& operator=(const WorkerScope&) = delete;
};

// Waits until a thread of the budget is free and takes it; false without one as soon as `stop` is set and wake_borrowers() was
// called.
bool borrow_thread(const std::atomic<bool>& stop);
void return_thread();
void wake_borrowers();

namespace detail {

// Of tensor/machine/parallel.cpp: whether this thread is a worker; the size of the team that a region of `wanted` threads may
// have; its end.
bool is_worker();
int begin_team(int wanted);
void end_team(int team);

}  // namespace detail
}  // namespace vitrail
