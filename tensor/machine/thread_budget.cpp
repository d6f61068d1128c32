#include "tensor/machine/thread_budget.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "tensor/machine/parallel.h"

namespace vitrail {
namespace {

struct Budget {
  std::mutex mutex;
  std::condition_variable changed;
  int team = 1;      // threads of the computation that run: those of its region, or itself alone
  int borrowed = 0;  // by workers that run
  int waiting = 0;   // workers that ask
  int granted = 0;   // threads that are taken for them, and that they have not picked up yet
};

Budget& budget() {
  static Budget* const shared = new Budget;  // a worker may outlive static objects
  return *shared;
}

std::atomic<int> workers{0};
thread_local bool worker_thread = false;

// As many as ask and as the team leaves.
void grant(Budget& b) {
  const int free = num_threads() - b.team - b.borrowed - b.granted, more = std::min(b.waiting - b.granted, free);
  if (more <= 0) return;
  b.granted += more;
  b.changed.notify_all();
}

}  // namespace

WorkerScope::WorkerScope() {
  worker_thread = true;
  ++workers;
}

WorkerScope::~WorkerScope() {
  worker_thread = false;
  --workers;
}

bool borrow_thread(const std::atomic<bool>& stop) {
  Budget& b = budget();
  std::unique_lock<std::mutex> lock(b.mutex);
  ++b.waiting;
  grant(b);
  b.changed.wait(lock, [&] { return stop || b.granted > 0; });
  --b.waiting;
  if (b.granted == 0) return false;
  --b.granted;
  ++b.borrowed;
  return true;
}

void return_thread() {
  Budget& b = budget();
  const std::lock_guard<std::mutex> lock(b.mutex);
  --b.borrowed;
  grant(b);
}

void wake_borrowers() {
  Budget& b = budget();
  const std::lock_guard<std::mutex> lock(b.mutex);
  b.changed.notify_all();
}

namespace detail {

bool is_worker() { return worker_thread; }

int begin_team(int wanted) {
  if (workers == 0) return wanted;
  Budget& b = budget();
  const std::lock_guard<std::mutex> lock(b.mutex);
  b.team = 1;
  grant(b);  // who waits comes before the team
  b.team = std::max(1, std::min(wanted, num_threads() - b.borrowed - b.granted));
  return b.team;
}

void end_team(int team) {
  if (team == 1 || workers == 0) return;
  Budget& b = budget();
  const std::lock_guard<std::mutex> lock(b.mutex);
  b.team = 1;
  grant(b);
}

}  // namespace detail
}  // namespace vitrail
