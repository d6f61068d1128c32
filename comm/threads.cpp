#include "comm/threads.h"

#include <atomic>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "base/error.h"

namespace vitrail {

namespace {

// Of a rank that another one's end has reached.
struct OtherEnded {};

struct World {
  std::mutex mutex;
  std::map<std::pair<int, int>, std::deque<std::vector<std::byte>>> messages;  // by sender and receiver
  std::atomic<bool> ended{false};
};

class Sent final : public Transfer {
 public:
  explicit Sent(int peer) : Transfer(peer) {}
  bool test() override { return true; }  // it was copied
};

class Receiving final : public Transfer {
 public:
  Receiving(World& world, int from, int to, std::span<std::byte> bytes)
      : Transfer(from), world_(world), key_(from, to), bytes_(bytes) {}
  bool test() override {
    if (done_) return true;
    if (world_.ended) throw OtherEnded();
    const std::lock_guard<std::mutex> lock(world_.mutex);
    auto& queue = world_.messages[key_];
    if (queue.empty()) return false;
    check(queue.front().size() == bytes_.size(), ErrorKind::kIo, "comm", "rank ", key_.first, " sent ", queue.front().size(),
          " bytes, rank ", key_.second, " expects ", bytes_.size(), ".");
    if (!bytes_.empty()) std::memcpy(bytes_.data(), queue.front().data(), bytes_.size());
    queue.pop_front();
    return done_ = true;
  }

 private:
  World& world_;
  std::pair<int, int> key_;
  std::span<std::byte> bytes_;
  bool done_ = false;
};

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(World& world, int rank, int size)
      : Communicator(rank, std::vector<std::string>(static_cast<size_t>(size), "this process")), world_(world) {}
  TransferPtr send(int to, std::span<const std::byte> bytes) override {
    count_sent(bytes.size());
    const std::lock_guard<std::mutex> lock(world_.mutex);
    world_.messages[{rank(), to}].emplace_back(bytes.begin(), bytes.end());
    return std::make_unique<Sent>(to);
  }
  TransferPtr receive(int from, std::span<std::byte> bytes) override {
    return std::make_unique<Receiving>(world_, from, rank(), bytes);
  }
  [[noreturn]] void abort(int code) override { throw Aborted{code}; }

 private:
  World& world_;
};

}  // namespace

void run_ranks(int ranks, const std::function<void(Communicator&)>& fn) {
  check(ranks >= 1 && ranks <= 64, ErrorKind::kValue, "comm", "ranks must be in [1, 64]: they are ", ranks, ".");
  World world;
  std::vector<std::exception_ptr> errors(static_cast<size_t>(ranks));
  std::vector<std::thread> threads;
  for (int r = 0; r < ranks; ++r)
    threads.emplace_back([&, r] {
      try {
        ThreadCommunicator comm(world, r, ranks);
        fn(comm);
      } catch (const OtherEnded&) {
      } catch (...) {
        errors[static_cast<size_t>(r)] = std::current_exception();
        world.ended = true;
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace vitrail
