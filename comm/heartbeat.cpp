#include "comm/heartbeat.h"

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <list>

#include "base/error.h"

namespace vitrail {

namespace {

using Clock = std::chrono::steady_clock;

// What ranks say; or the number of a rank that is lost.
constexpr int kAlive = -1, kBye = -2;

// A rank that this one watches.
struct Watched {
  int rank;
  int word = kAlive;  // where the next one is received
  TransferPtr receiving{};
  Clock::time_point heard = Clock::now();
  bool gone = false;  // as it should be
  int told = -1;      // a rank that it has lost

  void look(Communicator& comm) {
    while (!gone) {
      if (!receiving) receiving = comm.receive(rank, std::as_writable_bytes(std::span(&word, 1)), Channel::kBeat);
      if (!receiving->test()) return;
      receiving.reset();
      heard = Clock::now();
      gone = word == kBye;
      if (word >= 0) told = word;
    }
  }
};

// A rank that watches this one.
struct Watcher {
  int rank;
  int word = kAlive;
  TransferPtr sending{};

  // Nothing while the last word has not left: who does not read it has other troubles.
  void say(Communicator& comm, int what) {
    if (sending && !sending->test()) return;
    word = what;
    sending = comm.send(rank, std::as_bytes(std::span(&word, 1)), Channel::kBeat);
    sending->test();
  }
  // Whether it has been told that this rank ends.
  bool told(Communicator& comm) {
    if (word != kBye) say(comm, kBye);
    return word == kBye && sending->test();
  }
};

}  // namespace

Heartbeat::Heartbeat(Communicator& comm, double timeout) : comm_(comm), timeout_(timeout) {
  if (timeout_ <= 0 || comm_.size() == 1) return;
  // Signals are for the thread that trains.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Heartbeat::~Heartbeat() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

void Heartbeat::run() {
  const int size = comm_.size(), rank = comm_.rank();
  std::list<Watched> watched;
  std::list<Watcher> watchers;
  for (int distance = 1; distance < size; distance *= 2) {
    watched.push_back({(rank - distance + size) % size});
    watchers.push_back({(rank + distance) % size});
  }
  const auto pause = std::chrono::duration<double>(timeout_ / 8);
  int lost = -1;
  try {
    std::unique_lock<std::mutex> lock(mutex_);
    do {
      for (Watched& other : watched) {
        other.look(comm_);
        if (lost >= 0) continue;
        if (other.told >= 0)
          lost = other.told;
        else if (!other.gone && std::chrono::duration<double>(Clock::now() - other.heard).count() > timeout_)
          lost = other.rank;
      }
      if (lost >= 0) comm_.lose(cat("no sign of life from ", comm_.name(lost), " for ", timeout_, " s"));
      for (Watcher& watcher : watchers) watcher.say(comm_, lost >= 0 ? lost : kAlive);
    } while (!ended_.wait_for(lock, pause, [this] { return stop_; }));
    // Until all have said it: MPI wants to have no message left when it ends.
    const auto limit = Clock::now() + std::chrono::duration<double>(timeout_);
    for (bool open = true; open && Clock::now() < limit; std::this_thread::sleep_for(std::chrono::milliseconds(1))) {
      open = false;
      for (Watcher& watcher : watchers) open |= !watcher.told(comm_);
      for (Watched& other : watched) other.look(comm_), open |= !other.gone;
    }
  } catch (const Error& e) {
    comm_.lose(e.what());
  } catch (...) {  // another rank of this process has ended (comm/threads.h)
  }
}

}  // namespace vitrail
