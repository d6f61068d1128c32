#include "comm/threads.h"

#include <atomic>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>

#include "base/error.h"

namespace vitrail {

namespace {

// Of a rank that another one's end has reached.
struct OtherEnded {};

using Key = std::tuple<int, int, Channel>;  // from, to

struct World {
  std::mutex mutex;
  std::map<Key, std::deque<std::vector<std::byte>>> messages;
  std::atomic<bool> ended{false};
};

class Sent final : public Transfer {
 public:
  explicit Sent(int peer) : Transfer(peer) {}
  bool test() override { return true; }  // it was copied
};

class Receiving final : public Transfer {
 public:
  Receiving(World& world, const Key& key, std::span<std::byte> bytes)
      : Transfer(std::get<0>(key)), world_(world), key_(key), bytes_(bytes) {}
  bool test() override {
    if (done_) return true;
    if (world_.ended) throw OtherEnded();
    const std::lock_guard<std::mutex> lock(world_.mutex);
    auto& queue = world_.messages[key_];
    if (queue.empty()) return false;
    check(queue.front().size() == bytes_.size(), ErrorKind::kIo, "comm", "rank ", std::get<0>(key_), " sent ",
          queue.front().size(), " bytes, rank ", std::get<1>(key_), " expects ", bytes_.size(), ".");
    if (!bytes_.empty()) std::memcpy(bytes_.data(), queue.front().data(), bytes_.size());
    queue.pop_front();
    return done_ = true;
  }

 private:
  World& world_;
  Key key_;
  std::span<std::byte> bytes_;
  bool done_ = false;
};

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(World& world, int rank, int size)
      : Communicator(rank, std::vector<std::string>(static_cast<size_t>(size), "this process")), world_(world) {}
  TransferPtr send(int to, std::span<const std::byte> bytes, Channel channel) override {
    if (channel == Channel::kData) count_sent(bytes.size());
    const std::lock_guard<std::mutex> lock(world_.mutex);
    world_.messages[{rank(), to, channel}].emplace_back(bytes.begin(), bytes.end());
    return std::make_unique<Sent>(to);
  }
  TransferPtr receive(int from, std::span<std::byte> bytes, Channel channel) override {
    return std::make_unique<Receiving>(world_, Key{from, rank(), channel}, bytes);
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
