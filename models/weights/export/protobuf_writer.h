// Protocol buffers, the writing half (protobuf.dev/programming-guides/encoding): fields of one message after another. Large
// byte fields are borrowed, not copied: a model's weights go from their tensors straight to the disk.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vitrail::weights {

class ProtobufMessage {
 public:
  ProtobufMessage& integer(int field, int64_t value) {
    key(field, kVarint);
    varint(static_cast<uint64_t>(value));
    return *this;
  }
  // The bits of an IEEE float, little-endian.
  ProtobufMessage& real(int field, float value) {
    key(field, kFixed32);
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) put(static_cast<uint8_t>(bits >> shift));
    return *this;
  }
  ProtobufMessage& text(int field, const std::string& content) {
    key(field, kLength);
    varint(content.size());
    tail() += content;
    size_ += static_cast<int64_t>(content.size());
    return *this;
  }
  // `content` must outlive this message.
  ProtobufMessage& bytes(int field, std::span<const uint8_t> content) {
    key(field, kLength);
    varint(content.size());
    pieces_.push_back({"", content});
    size_ += static_cast<int64_t>(content.size());
    return *this;
  }
  ProtobufMessage& message(int field, ProtobufMessage inner) {
    key(field, kLength);
    varint(static_cast<uint64_t>(inner.size_));
    for (Piece& piece : inner.pieces_) {
      if (piece.borrowed.empty())
        tail() += piece.own;
      else
        pieces_.push_back(std::move(piece));
    }
    size_ += inner.size_;
    return *this;
  }
  // A repeated field, one key a value.
  ProtobufMessage& integers(int field, const std::vector<int64_t>& values) {
    for (const int64_t value : values) integer(field, value);
    return *this;
  }

  int64_t size() const { return size_; }
  // The message's bytes, valid while it lives and is not changed.
  std::vector<std::span<const uint8_t>> pieces() const {
    std::vector<std::span<const uint8_t>> all;
    for (const Piece& piece : pieces_)
      all.push_back(piece.borrowed.empty() ? std::span(reinterpret_cast<const uint8_t*>(piece.own.data()), piece.own.size())
                                           : piece.borrowed);
    return all;
  }

 private:
  enum Wire : uint8_t { kVarint = 0, kLength = 2, kFixed32 = 5 };
  struct Piece {
    std::string own;
    std::span<const uint8_t> borrowed;  // empty: own
  };

  void key(int field, Wire wire) { varint(static_cast<uint64_t>(field) << 3 | wire); }
  // Seven bits a byte, the lowest first; all but the last have their top bit set.
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) put(static_cast<uint8_t>(value | 0x80));
    put(static_cast<uint8_t>(value));
  }
  void put(uint8_t byte) {
    tail() += static_cast<char>(byte);
    ++size_;
  }
  // The text at the end, to which small fields are added.
  std::string& tail() {
    if (pieces_.empty() || !pieces_.back().borrowed.empty()) pieces_.push_back({});
    return pieces_.back().own;
  }

  std::vector<Piece> pieces_;
  int64_t size_ = 0;
};

}  // namespace vitrail::weights
