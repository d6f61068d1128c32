// MPI, the one file that knows it. It takes the place of comm/world.cpp in the program of `make MPI=1`.
//
// Only messages between two ranks are used: the order of a sum is ours (comm/all_reduce.h).
// The C interface alone: the libraries of the C++ one are not linked.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include "base/error.h"
#include "comm/launcher.h"
#include "comm/world.h"

namespace vitrail {

namespace {

// MPI counts in int.
constexpr size_t kMostBytes = size_t{1} << 30;

// MPI is called by one thread at a time: by the one that trains, by that of the messages (comm/lane.h) and by that of the signs
// of life (comm/heartbeat.h). No call waits, so the lock is never held long.
std::timed_mutex calls;

int tag(Channel channel) { return static_cast<int>(channel) + 1; }

void check_mpi(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  fail(ErrorKind::kIo, "mpi", what, ": ", text);
}

// For calls that may never return.
void end_after(std::chrono::milliseconds time, int code) {
  std::thread([time, code] {
    std::this_thread::sleep_for(time);
    std::_Exit(code);
  }).detach();
}

class MpiTransfer final : public Transfer {
 public:
  using Transfer::Transfer;
  // Of a message that was not waited for, since another failed. One that has begun to arrive cannot be called back and may still
  // be written: the error ends this process soon.
  ~MpiTransfer() override {
    const std::lock_guard<std::timed_mutex> lock(calls);
    for (MPI_Request& request : requests_)
      if (request != MPI_REQUEST_NULL) MPI_Cancel(&request), MPI_Request_free(&request);
  }
  bool test() override {
    const std::lock_guard<std::timed_mutex> lock(calls);
    int done = 0;
    check_mpi(MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE),
              "a message failed");
    return done != 0;
  }
  MPI_Request* next() { return &requests_.emplace_back(MPI_REQUEST_NULL); }

 private:
  std::vector<MPI_Request> requests_;
};

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator(int rank, std::vector<std::string> nodes) : Communicator(rank, std::move(nodes)) {}

  TransferPtr send(int to, std::span<const std::byte> bytes, Channel channel) override {
    if (channel == Channel::kData) count_sent(bytes.size());
    const std::lock_guard<std::timed_mutex> lock(calls);
    auto transfer = std::make_unique<MpiTransfer>(to);
    for (size_t begin = 0; begin < std::max<size_t>(1, bytes.size()); begin += kMostBytes) {
      const std::span<const std::byte> part = bytes.subspan(begin, std::min(kMostBytes, bytes.size() - begin));
      check_mpi(
          MPI_Isend(part.data(), static_cast<int>(part.size()), MPI_BYTE, to, tag(channel), MPI_COMM_WORLD, transfer->next()),
          "send");
    }
    return transfer;
  }
  TransferPtr receive(int from, std::span<std::byte> bytes, Channel channel) override {
    const std::lock_guard<std::timed_mutex> lock(calls);
    auto transfer = std::make_unique<MpiTransfer>(from);
    for (size_t begin = 0; begin < std::max<size_t>(1, bytes.size()); begin += kMostBytes) {
      const std::span<std::byte> part = bytes.subspan(begin, std::min(kMostBytes, bytes.size() - begin));
      check_mpi(
          MPI_Irecv(part.data(), static_cast<int>(part.size()), MPI_BYTE, from, tag(channel), MPI_COMM_WORLD, transfer->next()),
          "receive");
    }
    return transfer;
  }
  // MPI_Abort tells the launcher, which a cut network may keep it from: then this process ends by itself.
  [[noreturn]] void abort(int code) override {
    end_after(std::chrono::milliseconds(1500), code);
    // Other threads of this process stay out of MPI from here on; one that does not come back from a call is not waited for.
    std::unique_lock<std::timed_mutex> lock(calls, std::chrono::milliseconds(200));
    lock.release();
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);
  }
};

std::vector<std::string> names_of_nodes(int size) {
  std::vector<char> own(MPI_MAX_PROCESSOR_NAME, 0), all(static_cast<size_t>(size) * MPI_MAX_PROCESSOR_NAME, 0);
  int length = 0;
  MPI_Get_processor_name(own.data(), &length);
  check_mpi(
      MPI_Allgather(own.data(), MPI_MAX_PROCESSOR_NAME, MPI_CHAR, all.data(), MPI_MAX_PROCESSOR_NAME, MPI_CHAR, MPI_COMM_WORLD),
      "the names of the nodes");
  std::vector<std::string> names;
  for (int r = 0; r < size; ++r) names.emplace_back(all.data() + static_cast<size_t>(r) * MPI_MAX_PROCESSOR_NAME);
  return names;
}

MpiCommunicator* connected = nullptr;

MpiCommunicator* connect() {
  int provided = 0;
  check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  check(provided >= MPI_THREAD_SERIALIZED, ErrorKind::kIo, "mpi", mpi_version(),
        " allows calls from the main thread alone. Hint: an MPI that was built with threads.");
  int rank = 0, size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  check_launcher(launched_by(), size, mpi_version());
  return new MpiCommunicator(rank, names_of_nodes(size));  // lives as long as the process: MPI's threads end after main()
}

}  // namespace

Communicator& world() {
  if (!connected) connected = connect();
  return *connected;
}

bool in_world() { return connected && connected->size() > 1; }

void leave_world(int code) {
  int initialized = 0, finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  if (!initialized || finalized) return;
#ifndef OPEN_MPI
  // MPICH 4.0 over TCP (UCX 1.13) often stays in there for ever, programs of ten lines too: one rank closes a connection while
  // the other waits for all, without looking. Everything is written by now; mpiexec takes it for an orderly end.
  end_after(std::chrono::seconds(3), code);
#else
  end_after(std::chrono::seconds(30), code);  // mpirun calls this an error
#endif
  MPI_Finalize();
}

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string all(text, static_cast<size_t>(length));
#ifdef OPEN_MPI
  return all.substr(0, all.find(','));  // "Open MPI v4.1.4, package: ..."
#else
  const size_t end = all.find('\n');          // "MPICH Version:      4.0.2\nMPICH Release date: ..."
  const size_t digit = all.find_first_of("0123456789");
  return digit < end ? "MPICH " + all.substr(digit, end - digit) : "MPICH";
#endif
}

}  // namespace vitrail
