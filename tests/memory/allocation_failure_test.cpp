// When memory ends, at any allocation: Error(kMemory) or std::bad_alloc, nothing lost, and the next attempt works.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>
#include <thread>

#include "tensor/machine/parallel.h"
#include "tensor/machine/region_allocator.h"
#include "tensor/ops.h"
#include "tensor/product/gemm.h"
#include "tensor/rng.h"
#include "tensor/view.h"
#include "tests/memory/failing_allocations.h"

using namespace vitrail;
using vitrail::testing::counted_allocations, vitrail::testing::Refuse, vitrail::testing::RefuseMemory;

namespace {

// True if the work was done, false if memory ended; passes any other error on.
bool done_or_out_of_memory(const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kMemory) throw;
  } catch (const std::bad_alloc&) {
  }
  return false;
}

// The exit code of `body` in a child process.
int exit_code_of_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    if (!std::freopen("/dev/null", "w", stderr)) _exit(4);  // what libgomp says before it ends the child
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Runs `work` with allocation `number` refused. In a child process, since libgomp may end it, and there on a thread of its own,
// which has no team of threads that the child does not have. Codes: 0 done though memory was refused, 5 out of memory, 7 done
// without reaching that allocation, 1 to 3 faults.
int code_with_refusal(int64_t number, Refuse refuse, const std::function<void()>& work, bool warm) {
  return exit_code_of_child([&] {
    int code = 1;
    std::thread([&] {
      if (warm) work();  // what is made once is there
      empty_memory_cache();
      const int64_t live = memory_stats().live_bytes;
      bool done = false, reached = true;
      {
        const RefuseMemory guard(number, refuse);
        done = done_or_out_of_memory(work);
        reached = counted_allocations() > number;
      }
      if (memory_stats().live_bytes != live) {
        code = 2;
        return;
      }
      code = done ? (reached ? 0 : 7) : 5;
      if (!done && !done_or_out_of_memory(work)) code = 3;  // the next attempt works
    }).join();
    return code;
  });
}

// Refuses one allocation of `work` after the other, alone and with all later ones, until work needs no more. Beyond the first
// hundred every seventh.
void check_every_failure(const std::function<void()>& work, bool warm = true) {
  for (const Refuse refuse : {Refuse::kOne, Refuse::kEveryLater}) {
    int refusals = 0, code = 0;
    for (int64_t number = 0; code != 7 && number < 3000; number += number < 100 ? 1 : 7) {
      code = code_with_refusal(number, refuse, work, warm);
      refusals += code == 5 ? 1 : 0;
      CAPTURE(number);
      CAPTURE(code);
      REQUIRE((code == 0 || code == 5 || code == 7));
    }
    CHECK(code == 7);
    CHECK(refusals > 0);
  }
}

// In this program nothing may use BLIS before these first tests: its start is what they are about.
void small_product() {
  static double a[32 * 32], c[32 * 32];
  gemm_serial<double>(1, {a, 32, 32, 32, 1}, {a, 32, 32, 32, 1}, 0, {c, 32, 32, 32, 1});
}

}  // namespace

TEST_CASE("a kernel set that BLIS does not have is refused by its number") {
  for (const char* value : {"99", "-1", "abc", "", "3x", "14"}) {  // 14 is a kernel set of another architecture
    const int code = exit_code_of_child([&] {
      setenv("BLIS_ARCH_TYPE", value, 1);
      for (int attempt = 0; attempt < 2; ++attempt) {
        try {
          small_product();
          return 1;
        } catch (const Error& e) {
          const std::string text = e.what();
          if (e.kind() != ErrorKind::kValue || text.find("BLIS_ARCH_TYPE") == std::string::npos) return 2;
          if (text.find('"' + std::string(value) + '"') == std::string::npos || text.size() > 300) return 3;
        }
      }
      return 0;
    });
    CAPTURE(value);
    CHECK(code == 0);
  }
}

TEST_CASE("memory that ends during the very first product, which starts BLIS, ends with Error or exit code 5") {
  if (!testing::can_refuse_memory()) return;
  check_every_failure(small_product, /*warm=*/false);
}

TEST_CASE("memory that ends at any allocation of small and large tensors is an error, and nothing is lost") {
  if (!testing::can_refuse_memory()) {
    MESSAGE("skipped: a sanitizer's malloc, or clang's OpenMP runtime");
    return;
  }
  check_every_failure([] {
    const Tensor small = zeros({3, 4}), large = zeros({512, 1024}), other = zeros({300, 1024});
    const Tensor parts = concat({large, other}, 0), again = clone(slice(parts, 0, 1, 700));
    CHECK(again.numel() + small.numel() == 699 * 1024 + 12);
  });
}

TEST_CASE("memory that ends inside matrix products, norms and attention is an error: BLIS does not abort") {
  if (!testing::can_refuse_memory()) return;
  const Tensor a = rand_normal({70, 90}, 0, 1, Rng(1), Dtype::f64), b = rand_normal({90, 60}, 0, 1, Rng(2), Dtype::f64);
  const Tensor x = rand_normal({260, 256}, 0, 1, Rng(3)), w = rand_normal({128, 256}, 0, 1, Rng(4));
  const Tensor q = rand_normal({2, 2, 20, 16}, 0, 1, Rng(5));
  check_every_failure([&] {
    matmul(a, b);
    linear(x, w, {});
    layer_norm_forward(x, {}, {}, 1e-6);
    attention_forward(q, q, q);
    sum(x);
  });
}

TEST_CASE("threads that the system refuses are Error(kMemory), not the end of the process") {
  if (!testing::can_refuse_memory()) return;
  const int code = exit_code_of_child([] {
    int result = 1;
    std::thread([&] {
      const rlimit none{64 << 20, 64 << 20};  // of address space: below what is in use
      if (setrlimit(RLIMIT_AS, &none) != 0) return;
      set_num_threads(64);
      try {
        parallel_for(1000, 1, [](int64_t, int64_t) {});
      } catch (const Error& e) {
        result = e.kind() == ErrorKind::kMemory ? 0 : 2;
      } catch (const std::bad_alloc&) {
        result = 0;
      }
    }).join();
    return result;
  });
  CHECK(code == 0);
}

TEST_CASE("a region allocator gives back and joins blocks without allocating") {
  if (!testing::can_refuse_memory()) return;
  RegionAllocator memory(int64_t{64} << 20);
  void* blocks[6];
  for (void*& block : blocks) block = memory.allocate(int64_t{1} << 20);
  {
    const RefuseMemory guard(0, Refuse::kEveryLater);
    for (const int i : {1, 3, 5, 0, 4, 2}) memory.release(blocks[i]);
    memory.give_back_idle();
  }
  CHECK(memory.live_bytes() == 0);
  CHECK(memory.regions() == 0);
}
