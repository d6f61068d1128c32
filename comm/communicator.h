// Ranks and bytes: what the processes of one run know of each other. Knows nothing of tensors or training.
//
// A rank sends bytes to another and waits for bytes from it; everything else (comm/collectives.h, comm/all_reduce.h) is made of
// these two. Three kinds: one process alone (comm/world.cpp), threads of one process (comm/threads.h, for tests), MPI
// (comm/mpi.cpp).
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace vitrail {

// A message on its way. The memory it is sent from or received into must live, and stay untouched, until it is done.
class Transfer {
 public:
  explicit Transfer(int peer) : peer_(peer) {}
  virtual ~Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Whether it is done; moves it along. Error(kIo) if the connection is lost.
  virtual bool test() = 0;
  int peer() const { return peer_; }

 private:
  int peer_;
};
using TransferPtr = std::unique_ptr<Transfer>;

// Separate streams of messages between two ranks.
enum class Channel { kData, kBeat };

// Thread safety: one thread at a time for each channel.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return static_cast<int>(nodes_.size()); }
  // The name of the machine that a rank runs on.
  const std::string& node(int rank) const { return nodes_.at(static_cast<size_t>(rank)); }
  // The ranks on this rank's machine, itself among them, ascending.
  std::vector<int> ranks_here() const;
  // "rank 3 on node7"
  std::string name(int rank) const;

  // Messages of a channel from one rank to another arrive in the order in which they were sent, each into a receive() of its
  // size.
  virtual TransferPtr send(int to, std::span<const std::byte> bytes, Channel channel = Channel::kData) = 0;
  virtual TransferPtr receive(int from, std::span<std::byte> bytes, Channel channel = Channel::kData) = 0;
  // Looks until all are done: spinning briefly, then sleeping between two looks, so that a rank that waits does not take a
  // processor from one that computes. Error(kIo) with the words of lose(), once that has been called, and what this rank waits
  // for.
  void wait(std::span<const TransferPtr> transfers);
  void wait(const TransferPtr& transfer) { wait(std::span(&transfer, 1)); }

  // What this rank is doing, for messages: "update 17".
  void set_activity(std::string what);
  // What it does between two of these: "the test after update 17".
  void set_activity_after(const std::string& what);
  // From any thread: a rank is lost, and nobody is to wait for it any more.
  void lose(const std::string& why);

  // Ends all ranks with this exit code, whatever they are doing.
  [[noreturn]] virtual void abort(int code) = 0;

  // Bytes of data sent so far.
  double sent() const { return sent_; }

 protected:
  Communicator(int rank, std::vector<std::string> nodes) : rank_(rank), nodes_(std::move(nodes)) {}
  void count_sent(size_t bytes) { sent_ += static_cast<double>(bytes); }

 private:
  int rank_;
  std::vector<std::string> nodes_;  // of each rank
  double sent_ = 0;
  std::mutex mutex_;  // of the texts
  std::string last_ = "the start", activity_ = last_, lost_;
  std::atomic<bool> is_lost_{false};
};

}  // namespace vitrail
