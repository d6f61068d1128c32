// Values as bytes for another rank of the same program, and back.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"

namespace vitrail {

class Packer {
 public:
  template <class T>
  requires std::is_trivially_copyable_v<T> Packer& put(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Packer& put(const std::string& text) {
    put(text.size());
    bytes_ += text;
    return *this;
  }
  template <class T>
  Packer& put(const T* values, size_t n) {
    put(n);
    if (n > 0) bytes_.append(reinterpret_cast<const char*>(values), n * sizeof(T));
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// In the order in which it was put. Error(kIo) behind the end.
class Unpacker {
 public:
  explicit Unpacker(const std::string& bytes) : bytes_(bytes) {}

  template <class T>
  T get() {
    if constexpr (std::is_same_v<T, std::string>) {
      const auto n = get<size_t>();
      return std::string(take(n), n);
    } else {
      T value;
      std::memcpy(&value, take(sizeof value), sizeof value);
      return value;
    }
  }
  template <class T>
  std::vector<T> array() {
    std::vector<T> values(get<size_t>());
    const char* const from = take(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), from, values.size() * sizeof(T));
    return values;
  }

 private:
  const char* take(size_t n) {
    check(n <= bytes_.size() - at_, ErrorKind::kIo, "comm", "a message ends early: ", bytes_.size(), " bytes.");
    at_ += n;
    return bytes_.data() + at_ - n;
  }
  const std::string& bytes_;
  size_t at_ = 0;
};

}  // namespace vitrail
