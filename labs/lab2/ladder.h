// Lab 2, exercises 2.2 and 2.3: the same product with other orders of its loops. Row-major matrices without gaps:
//   c_ij = sum_k a_ik b_kj,   A [m, k], B [k, n], C [m, n].
#pragma once

#include <cstdint>
#include <vector>

namespace lab {

// C = A B, the innermost loop over j: it walks along rows of B and C, and reads no column.
template <class T>
void multiply_by_rows(const T* a, const T* b, T* c, int64_t m, int64_t n, int64_t k);

// C = A B in blocks of `block` rows, columns and depth, so that three blocks stay in a small cache. m, n and k need not be
// multiples of `block`; it may be larger than all of them.
template <class T>
void multiply_in_blocks(const T* a, const T* b, T* c, int64_t m, int64_t n, int64_t k, int64_t block);

// A number that writes down where it was read and written: for counting memory traffic without a clock.
struct Traced {
  float value = 0;
  Traced() = default;
  Traced(float x) : value(x) {}  // NOLINT: numbers convert
  Traced(const Traced& x) : value(x.value) { log(&x); }
  Traced& operator=(const Traced& x) {
    log(&x), log(this);
    value = x.value;
    return *this;
  }
  Traced& operator+=(const Traced& x) {
    log(&x), log(this);
    value += x.value;
    return *this;
  }
  friend Traced operator*(const Traced& x, const Traced& y) {
    log(&x), log(&y);
    return Traced(x.value * y.value);
  }
  friend Traced operator+(const Traced& x, const Traced& y) {
    log(&x), log(&y);
    return Traced(x.value + y.value);
  }
  friend bool operator==(const Traced& x, const Traced& y) {
    log(&x), log(&y);
    return x.value == y.value;
  }
  static std::vector<const Traced*>& places() {
    static std::vector<const Traced*> all;
    return all;
  }

 private:
  static void log(const Traced* x) { places().push_back(x); }
};

}  // namespace lab
