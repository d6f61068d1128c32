#include "comm/measure.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <limits>

#include "base/error.h"
#include "comm/all_reduce.h"
#include "comm/collectives.h"

namespace vitrail {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_of(const std::function<void()>& work) {
  const Clock::time_point start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// There and back, as rank a or b.
void there_and_back(Communicator& comm, int a, int b, std::span<std::byte> bytes) {
  if (comm.rank() == a) {
    comm.wait(comm.send(b, bytes));
    comm.wait(comm.receive(b, bytes));
  } else {
    comm.wait(comm.receive(a, bytes));
    comm.wait(comm.send(a, bytes));
  }
}

void exchange(Communicator& comm, int peer, std::span<std::byte> out, std::span<std::byte> in) {
  TransferPtr transfers[2] = {comm.receive(peer, in), comm.send(peer, out)};
  comm.wait(transfers);
}

double median_of(int repeats, const std::function<void()>& work) {
  work();
  std::vector<double> seconds;
  for (int i = 0; i < repeats; ++i) seconds.push_back(seconds_of(work));
  return median(seconds);
}

}  // namespace

double median(std::vector<double> values) {
  check(!values.empty(), ErrorKind::kValue, "comm", "a median needs at least one value.");
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

std::vector<MessageTime> time_messages(Communicator& comm, int a, int b, const std::vector<int64_t>& sizes, int repeats) {
  check(a != b && std::min(a, b) >= 0 && std::max(a, b) < comm.size(), ErrorKind::kValue, "comm",
        "messages go between two of the ranks 0 to ", comm.size() - 1, ": they are ", a, " and ", b, ".");
  check(repeats >= 1 && !sizes.empty() && *std::min_element(sizes.begin(), sizes.end()) >= 1, ErrorKind::kValue, "comm",
        "messages need at least one repeat, one size and one byte.");
  std::vector<MessageTime> times;
  if (comm.rank() == a || comm.rank() == b) {
    const auto largest = static_cast<size_t>(*std::max_element(sizes.begin(), sizes.end()));
    std::vector<std::byte> out(largest), in(largest);
    const int peer = comm.rank() == a ? b : a;
    for (const int64_t bytes : sizes) {
      const std::span<std::byte> to(out.data(), static_cast<size_t>(bytes)), from(in.data(), static_cast<size_t>(bytes));
      const double round_trip = median_of(repeats, [&] { there_and_back(comm, a, b, to); });
      const double both = median_of(repeats, [&] { exchange(comm, peer, to, from); });
      times.push_back({bytes, round_trip / 2, both});
    }
  }
  times.resize(sizes.size());
  broadcast(comm, std::as_writable_bytes(std::span(times)), a);
  return times;
}

LinkFit fit_link(const std::vector<MessageTime>& times) {
  check(!times.empty(), ErrorKind::kValue, "comm", "a link needs times of messages.");
  const auto by_size = [](const MessageTime& x, const MessageTime& y) { return x.bytes < y.bytes; };
  const MessageTime& smallest = *std::min_element(times.begin(), times.end(), by_size);
  const MessageTime& largest = *std::max_element(times.begin(), times.end(), by_size);
  const double seconds = largest.both_ways - smallest.one_way;
  return {smallest.one_way,
          seconds > 0 ? static_cast<double>(largest.bytes) / seconds : std::numeric_limits<double>::infinity()};
}

double time_all_reduce(Communicator& comm, int64_t bytes, int64_t bucket_bytes, int repeats) {
  check(bytes >= 4 && bucket_bytes >= 4 && repeats >= 1, ErrorKind::kValue, "comm",
        "a sum needs at least one f32 in all and in a bucket, and one repeat: there are ", bytes, " and ", bucket_bytes,
        " bytes, ", repeats, " repeats.");
  std::vector<float> values(static_cast<size_t>(bytes / 4), 0);
  const auto bucket = static_cast<size_t>(bucket_bytes / 4);
  std::vector<double> slowest;
  for (int i = 0; i <= repeats; ++i) {
    barrier(comm);
    const double own = seconds_of([&] {
      for (size_t begin = 0; begin < values.size(); begin += bucket)
        all_reduce(comm, std::span(values).subspan(begin, std::min(bucket, values.size() - begin)));
    });
    double most = 0;
    for (const std::string& text : all_gather(comm, std::string(reinterpret_cast<const char*>(&own), sizeof own))) {
      double seconds = 0;
      std::memcpy(&seconds, text.data(), sizeof seconds);
      most = std::max(most, seconds);
    }
    if (i > 0) slowest.push_back(most);
  }
  return median(slowest);
}

}  // namespace vitrail
