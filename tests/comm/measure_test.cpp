// Times of messages and sums, on threads of this process.
#include "comm/measure.h"

#include <doctest/doctest.h>

#include <functional>

#include "base/error.h"
#include "comm/threads.h"

using namespace vitrail;

namespace {

std::string refusal_of(const std::function<void(Communicator&)>& what) {
  try {
    run_ranks(2, what);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("messages and sums between ranks are measured, for all of them, and a link is fitted") {
  run_ranks(3, [](Communicator& comm) {
    const std::vector<MessageTime> times = time_messages(comm, 0, 2, {8, 4096}, 3);
    REQUIRE(times.size() == 2);
    CHECK(times[1].bytes == 4096);
    for (const MessageTime& time : times) {
      CHECK(time.one_way > 0);
      CHECK(time.both_ways > 0);
    }
    CHECK(time_all_reduce(comm, 4000, 1024, 2) > 0);
  });
  const LinkFit link = fit_link({{8, 1e-3, 9e-3}, {1000, 5, 2.001}});
  CHECK(link.latency == 1e-3);
  CHECK(link.bytes_per_second == doctest::Approx(500));
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 2, 3}) == 2.5);
}

TEST_CASE("measurements that make no sense are refused") {
  const auto refused = [](const std::function<void(Communicator&)>& what, const std::string& part) {
    CHECK_MESSAGE(refusal_of(what).find(part) != std::string::npos, part);
  };
  refused([](Communicator& comm) { time_messages(comm, 0, 2, {8}, 1); }, "ranks 0 to 1: they are 0 and 2");
  refused([](Communicator& comm) { time_messages(comm, 0, 1, {}, 1); }, "at least one repeat");
  refused([](Communicator& comm) { time_all_reduce(comm, 4, 0, 1); }, "4 and 0 bytes");
}
