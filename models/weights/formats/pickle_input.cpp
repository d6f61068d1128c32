#include "models/weights/formats/pickle_input.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"

namespace vitrail {
namespace {

constexpr int64_t kBuffer = int64_t{1} << 16;

}  // namespace

PickleInput::PickleInput(const ByteSource& source, int64_t position)
    : source_(source), buffer_(static_cast<size_t>(std::min(kBuffer, source.size))), buffer_start_(position) {}

void PickleInput::refuse(const std::string& what) const {
  fail(ErrorKind::kData, "pickle", source_.name, ": ", what, " (byte ", position(), ")");
}

void PickleInput::refill() {
  buffer_start_ += static_cast<int64_t>(filled_);
  const int64_t count = std::min(kBuffer, source_.size - buffer_start_);
  at_ = filled_ = 0;
  require(count > 0, "truncated: the pickle ends early");
  source_.read_at(buffer_start_, buffer_.data(), count);
  filled_ = static_cast<size_t>(count);
}

uint8_t PickleInput::byte() {
  if (at_ == filled_) refill();
  return buffer_[at_++];
}

uint64_t PickleInput::number(int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value |= static_cast<uint64_t>(byte()) << (8 * i);
  return value;
}

double PickleInput::real() {
  uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits = bits << 8 | byte();
  return std::bit_cast<double>(bits);
}

std::string PickleInput::text(uint64_t bytes, int64_t kept) {
  require(bytes <= static_cast<uint64_t>(source_.size - position()), "truncated: a text goes beyond the end");
  auto left = static_cast<int64_t>(bytes);
  std::string result;
  while (left > 0) {
    if (at_ == filled_) refill();
    const int64_t count = std::min(left, static_cast<int64_t>(filled_ - at_));
    const int64_t wanted = std::min(count, kept - static_cast<int64_t>(result.size()));
    result.append(reinterpret_cast<const char*>(buffer_.data() + at_), static_cast<size_t>(wanted));
    at_ += static_cast<size_t>(count);
    left -= count;
    if (wanted == count || left == 0) continue;
    buffer_start_ = position() + left;  // the rest is not read at all
    at_ = filled_ = 0;
    left = 0;
  }
  return result;
}

std::string PickleInput::line(int64_t most) {
  std::string result;
  for (uint8_t next = byte(); next != '\n'; next = byte()) {
    require(static_cast<int64_t>(result.size()) < most, "a line is too long");
    result.push_back(static_cast<char>(next));
  }
  if (result.ends_with('\r')) result.pop_back();
  return result;
}

}  // namespace vitrail
