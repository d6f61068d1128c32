// Ranks that are threads of one process, as in comm/threads.h, but watched: messages take their time, and who waits for ever is
// told so.
//
// A message is on its way for as long as the weather says. With `handed_over` a send is done only when the other rank has taken
// the message: MPI may do so with large ones. When every rank that still runs waits, and nothing is on its way, the run ends
// with a CommTrouble that says who waits for whom.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "base/text.h"
#include "comm/communicator.h"
#include "tensor/rng.h"

namespace lab {

struct Weather {
  uint64_t seed = 0;
  int most_delay = 0;        // microseconds; each message has a random part of it
  bool handed_over = false;  // a send waits for its receiver
  double latency = 0;        // seconds of each message, and
  double rate = 0;           // bytes a second, where it is not 0: messages of one rank to another pass one after another
};

// What the ranks have sent.
struct Traffic {
  std::vector<int64_t> messages, bytes;  // of each rank
  // How many messages had to follow one another: a rank sends one at a time, and what it sends after it has received something
  // comes behind that.
  int64_t rounds = 0;
  int64_t all_messages() const {
    int64_t sum = 0;
    for (const int64_t n : messages) sum += n;
    return sum;
  }
  int64_t all_bytes() const {
    int64_t sum = 0;
    for (const int64_t n : bytes) sum += n;
    return sum;
  }
};

// Ranks that wait for ever, messages of another size than expected, for nobody, not taken, not waited for.
class CommTrouble : public std::exception {
 public:
  explicit CommTrouble(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

namespace watched {

struct OtherEnded {};  // ends a rank when another one has met an error

using Time = std::chrono::steady_clock::time_point;
using Pair = std::tuple<int, int, vitrail::Channel>;  // from, to

struct Message {
  std::vector<std::byte> bytes;
  Time due;
  int64_t round = 0;
  bool taken = false;
};
using MessagePtr = std::shared_ptr<Message>;

struct Queue {
  std::deque<MessagePtr> on_their_way, arrived;
  Time last{};  // when the last one is due: they do not overtake each other
  uint64_t sent = 0;
};

class World {
 public:
  World(int ranks, const Weather& weather) : weather_(weather), ranks_(static_cast<size_t>(ranks)) {
    traffic.messages.assign(ranks_.size(), 0);
    traffic.bytes.assign(ranks_.size(), 0);
  }

  MessagePtr send(const Pair& pair, std::span<const std::byte> bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto [from, to, channel] = pair;
    if (ended_) throw OtherEnded();
    check_rank(from, to);
    ++traffic.messages[static_cast<size_t>(from)];
    traffic.bytes[static_cast<size_t>(from)] += static_cast<int64_t>(bytes.size());
    Queue& queue = queues_[pair];
    auto message = std::make_shared<Message>();
    message->bytes.assign(bytes.begin(), bytes.end());
    message->due = queue.last = due(queue, from, to, bytes.size());
    queue.on_their_way.push_back(message);
    message->round = ++ranks_[static_cast<size_t>(from)].rounds;
    traffic.rounds = std::max(traffic.rounds, message->round);
    ++queue.sent, ++progress_;
    return message;
  }

  // Whether a message was there for it.
  bool take(const Pair& pair, std::span<std::byte> to, const void* transfer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ended_) throw OtherEnded();
    const int from = std::get<0>(pair), here = std::get<1>(pair);
    check_rank(here, from);
    deliver();
    Queue& queue = queues_[pair];
    if (queue.arrived.empty()) {
      waits(here, transfer, vitrail::cat("rank ", here, " waits for a message from rank ", from));
      return false;
    }
    const MessagePtr message = queue.arrived.front();
    if (message->bytes.size() != to.size())
      end(vitrail::cat("rank ", from, " sent ", message->bytes.size(), " bytes, rank ", here, " expects ", to.size()));
    if (!to.empty()) std::memcpy(to.data(), message->bytes.data(), to.size());
    queue.arrived.pop_front();
    int64_t& rounds = ranks_[static_cast<size_t>(here)].rounds;
    rounds = std::max(rounds, message->round);
    message->taken = true, ++progress_;
    return true;
  }

  // Whether a send is done.
  bool gone(const Pair& pair, const MessagePtr& message, const void* transfer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!weather_.handed_over || message->taken) return true;
    if (ended_) throw OtherEnded();
    deliver();
    const int from = std::get<0>(pair), to = std::get<1>(pair);
    waits(from, transfer, vitrail::cat("rank ", from, " waits until rank ", to, " takes a message"));
    return false;
  }

  void let_go(const Pair& pair) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!ended_ && trouble_.empty())
      trouble_ = vitrail::cat("rank ", std::get<0>(pair), " did not wait for a message between rank ", std::get<0>(pair),
                              " and rank ", std::get<1>(pair), ": its memory may be gone before it is done");
  }
  void finished(int rank) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ranks_[static_cast<size_t>(rank)].finished = true;
    ++progress_;
  }
  void stop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
  }

  // What was wrong; at the end also messages that nobody took.
  std::string trouble() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!trouble_.empty() || ended_) return trouble_;
    for (const auto& [pair, queue] : queues_)
      if (!queue.arrived.empty() || !queue.on_their_way.empty())
        return vitrail::cat("rank ", std::get<0>(pair), " sent rank ", std::get<1>(pair), " a message that was never received");
    return "";
  }

  Traffic traffic;

 private:
  struct Rank {
    bool finished = false;
    int64_t rounds = 0;
    uint64_t progress = 0;
    int looks = 0;  // at its first open transfer since anything happened
    const void* first = nullptr;
    std::set<std::string> what;  // it waits for
  };

  [[noreturn]] void end(const std::string& why) {
    if (trouble_.empty()) trouble_ = why;
    ended_ = true;
    throw CommTrouble(trouble_);
  }
  void check_rank(int own, int other) {
    if (other < 0 || other >= static_cast<int>(ranks_.size()))
      end(vitrail::cat("rank ", own, " speaks to rank ", other, "; there are ", ranks_.size(), " ranks"));
  }
  Time due(const Queue& queue, int from, int to, size_t bytes) const {
    using std::chrono::duration;
    const Time now = std::chrono::steady_clock::now();
    double seconds = weather_.latency;
    if (weather_.most_delay > 0) {
      const vitrail::Rng rng = vitrail::Rng(weather_.seed).at(static_cast<uint64_t>(64 * from + to));
      seconds += 1e-6 * static_cast<double>(rng.below(queue.sent, static_cast<uint64_t>(weather_.most_delay) + 1));
    }
    if (weather_.rate > 0) seconds += static_cast<double>(bytes) / weather_.rate;
    const auto way = std::chrono::duration_cast<Time::duration>(duration<double>(seconds));
    return (weather_.rate > 0 ? std::max(now, queue.last) : now) + way;
  }
  void deliver() {
    const Time now = std::chrono::steady_clock::now();
    for (auto& [pair, queue] : queues_)
      while (!queue.on_their_way.empty() && queue.on_their_way.front()->due <= now) {
        queue.arrived.push_back(queue.on_their_way.front());
        queue.on_their_way.pop_front();
        ++progress_;
      }
  }
  // All have looked at everything that they wait for since the last time that anything happened, and nothing more will.
  void waits(int rank, const void* transfer, const std::string& what) {
    Rank& own = ranks_[static_cast<size_t>(rank)];
    if (own.progress != progress_) own.progress = progress_, own.looks = 0, own.first = transfer, own.what.clear();
    own.looks += own.first == transfer;
    own.what.insert(what);
    for (const auto& [pair, queue] : queues_)
      if (!queue.on_their_way.empty()) return;
    std::string text;
    for (const Rank& r : ranks_) {
      if (r.finished) continue;
      if (r.progress != progress_ || r.looks < 3) return;
      for (const std::string& one : r.what) text += (text.empty() ? "" : ", ") + one;
    }
    for (size_t r = 0; r < ranks_.size(); ++r)
      if (ranks_[r].finished) text += vitrail::cat("; rank ", r, " has ended");
    end("the ranks wait for ever: " + text);
  }

  const Weather weather_;
  std::mutex mutex_;
  std::map<Pair, Queue> queues_;
  std::vector<Rank> ranks_;
  uint64_t progress_ = 1;
  bool ended_ = false;
  std::string trouble_;
};

class Sending final : public vitrail::Transfer {
 public:
  Sending(World& world, const Pair& pair, std::span<const std::byte> bytes)
      : Transfer(std::get<1>(pair)), world_(world), pair_(pair), message_(world.send(pair, bytes)) {}
  ~Sending() override {
    if (!done_) world_.let_go(pair_);
  }
  bool test() override { return done_ = done_ || world_.gone(pair_, message_, this); }

 private:
  World& world_;
  Pair pair_;
  MessagePtr message_;
  bool done_ = false;
};

class Receiving final : public vitrail::Transfer {
 public:
  Receiving(World& world, const Pair& pair, std::span<std::byte> bytes)
      : Transfer(std::get<0>(pair)), world_(world), pair_(pair), bytes_(bytes) {}
  ~Receiving() override {
    if (!done_) world_.let_go(pair_);
  }
  bool test() override { return done_ = done_ || world_.take(pair_, bytes_, this); }

 private:
  World& world_;
  Pair pair_;
  std::span<std::byte> bytes_;
  bool done_ = false;
};

class Rank final : public vitrail::Communicator {
 public:
  Rank(World& world, int rank, int size)
      : Communicator(rank, std::vector<std::string>(static_cast<size_t>(size), "this process")), world_(world) {}
  vitrail::TransferPtr send(int to, std::span<const std::byte> bytes, vitrail::Channel channel) override {
    if (channel == vitrail::Channel::kData) count_sent(bytes.size());
    return std::make_unique<Sending>(world_, Pair{rank(), to, channel}, bytes);
  }
  vitrail::TransferPtr receive(int from, std::span<std::byte> bytes, vitrail::Channel channel) override {
    return std::make_unique<Receiving>(world_, Pair{from, rank(), channel}, bytes);
  }
  [[noreturn]] void abort(int code) override { throw CommTrouble(vitrail::cat("a rank ended all with code ", code)); }

 private:
  World& world_;
};

}  // namespace watched

// Runs fn in so many threads and returns what they sent. The error of the lowest rank that threw by itself is thrown here,
// before that a CommTrouble comes last.
inline Traffic run_watched(int ranks, const Weather& weather, const std::function<void(vitrail::Communicator&)>& fn) {
  watched::World world(ranks, weather);
  std::vector<std::exception_ptr> errors(static_cast<size_t>(ranks));
  std::vector<std::thread> threads;
  for (int r = 0; r < ranks; ++r)
    threads.emplace_back([&, r] {
      try {
        watched::Rank comm(world, r, ranks);
        fn(comm);
        world.finished(r);
      } catch (const watched::OtherEnded&) {
      } catch (const CommTrouble&) {  // the world remembers it
      } catch (...) {
        errors[static_cast<size_t>(r)] = std::current_exception();
        world.stop();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  if (const std::string trouble = world.trouble(); !trouble.empty()) throw CommTrouble(trouble);
  return world.traffic;
}

}  // namespace lab
