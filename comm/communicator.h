// Ranks and bytes: what the processes of one run know of each other. Knows nothing of tensors or training.
//
// A rank sends bytes to another and waits for bytes from it; everything else (comm/collectives.h, comm/all_reduce.h) is made of
// these two. Three kinds: one process alone (comm/world.cpp), threads of one process (comm/threads.h, for tests), MPI
// (comm/mpi.cpp).
#pragma once

#include <cstddef>
#include <memory>
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

// Thread safety: one thread at a time.
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

  // Messages from one rank to another arrive in the order in which they were sent, each into a receive() of its size.
  virtual TransferPtr send(int to, std::span<const std::byte> bytes) = 0;
  virtual TransferPtr receive(int from, std::span<std::byte> bytes) = 0;
  // Looks until all are done: spinning briefly, then sleeping between two looks, so that a rank that waits does not take a
  // processor from one that computes. Error(kIo) naming the ranks that are waited for, and what for (set_activity()), after the
  // timeout.
  void wait(std::span<const TransferPtr> transfers);
  void wait(const TransferPtr& transfer) { wait(std::span(&transfer, 1)); }

  // Seconds without an answer after which wait() gives up; 0: never.
  void set_timeout(double seconds) { timeout_ = seconds; }
  double timeout() const { return timeout_; }
  // What this rank is doing, for the message of a timeout: "step 17".
  void set_activity(std::string what) { activity_ = std::move(what); }

  // Ends all ranks with this exit code, whatever they are doing.
  [[noreturn]] virtual void abort(int code) = 0;

  // Bytes sent so far.
  double sent() const { return sent_; }

 protected:
  Communicator(int rank, std::vector<std::string> nodes) : rank_(rank), nodes_(std::move(nodes)) {}
  void count_sent(size_t bytes) { sent_ += static_cast<double>(bytes); }

 private:
  int rank_;
  std::vector<std::string> nodes_;  // of each rank
  double timeout_ = 60, sent_ = 0;
  std::string activity_ = "start";
};

}  // namespace vitrail
