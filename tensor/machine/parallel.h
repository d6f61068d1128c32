// The only home of OpenMP. Work is cut into chunks whose borders depend on the size alone, never on the number of threads,
// and partial results are combined in index order: so every result has the same bits for 1, 2 or 64 threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "base/divide.h"

namespace vitrail {

// Threads used by parallel_for; at start OMP_NUM_THREADS, or the processors that affinity mask and control groups allow this
// process (tensor/machine/container.h).
int num_threads();
// Error(kValue) unless 1 <= threads <= 1024.
void set_num_threads(int threads);

// Elementwise work below this many elements is not worth a parallel region (2 to 5 microseconds).
constexpr int64_t kElementwiseGrain = 16384;

namespace detail {
void run_chunks(int64_t chunks, void (*body)(void* context, int64_t chunk), void* context);
}

// The length of one chunk of [0, n): at least grain, and at most 128 chunks. Depends on n and grain alone.
inline int64_t chunk_length(int64_t n, int64_t grain) { return std::max({grain, ceil_div(n, 128), int64_t{1}}); }

// Calls fn(begin, end) for consecutive chunks of [0, n), in parallel, in no particular order. An exception thrown by fn is
// rethrown here. Inside a chunk, a nested call runs serially. Never touch a Variable inside fn.
template <class Fn>
void parallel_for(int64_t n, int64_t grain, Fn&& fn) {
  if (n <= 0) return;
  const int64_t length = chunk_length(n, grain);
  if (length >= n) {
    fn(int64_t{0}, n);
    return;
  }
  struct Context {
    std::remove_reference_t<Fn>* fn;
    int64_t n, length;
  } context{&fn, n, length};
  detail::run_chunks(ceil_div(n, length),
                     [](void* raw, int64_t chunk) {
                       auto* c = static_cast<Context*>(raw);
                       const int64_t begin = chunk * c->length;
                       (*c->fn)(begin, begin + std::min(c->length, c->n - begin));
                     },
                     &context);
}

// combine(... combine(combine(identity, map(chunk 0)), map(chunk 1)) ...): fixed chunks, combined in index order.
template <class T, class Map, class Combine>
T parallel_reduce(int64_t n, int64_t grain, T identity, Map&& map, Combine&& combine) {
  if (n <= 0) return identity;
  const int64_t length = chunk_length(n, grain);
  std::vector<T> partial(ceil_div(n, length), identity);
  parallel_for(n, grain, [&](int64_t begin, int64_t end) { partial[begin / length] = map(begin, end); });
  T result = identity;
  for (const T& part : partial) result = combine(result, part);
  return result;
}

}  // namespace vitrail
