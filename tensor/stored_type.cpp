#include "tensor/stored_type.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "base/error.h"
#include "tensor/machine/bf16.h"

namespace vitrail {
namespace {

static_assert(std::endian::native == std::endian::little, "the data of a file is used as it is");

constexpr StoredType kTypes[] = {
    {"F32", 4, Dtype::f32}, {"F64", 8, Dtype::f64},  {"I64", 8, Dtype::i64}, {"U8", 1, Dtype::u8},   {"BOOL", 1, Dtype::u8},
    {"F16", 2, Dtype::f32}, {"BF16", 2, Dtype::f32}, {"I32", 4, Dtype::i64}, {"I16", 2, Dtype::i64}, {"I8", 1, Dtype::i64},
    {"U16", 2, Dtype::i64}, {"U32", 4, Dtype::i64},  {"U64", 8, Dtype::i64}};

// IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits.
float half_to_float(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16, exponent = (h >> 10) & 31, fraction = h & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent == 0) return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(static_cast<float>(fraction) * 0x1p-24f));
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

template <class T>
Tensor filled(const Shape& shape, const FetchElements& fetch, const char* op) {
  Tensor x = empty(shape, dtype_of<T>(), op);
  if (x.numel() > 0) fetch(0, x.mutable_data<T>(), x.numel());
  return x;
}

template <class Stored, class T, class Fn>
Tensor converted(const Shape& shape, const FetchElements& fetch, const char* op, Fn convert) {
  constexpr int64_t kPiece = int64_t{1} << 14;
  Tensor x = empty(shape, dtype_of<T>(), op);
  std::vector<Stored> values(static_cast<size_t>(std::min(kPiece, x.numel())));
  T* out = x.numel() > 0 ? x.mutable_data<T>() : nullptr;
  for (int64_t i = 0; i < x.numel(); i += kPiece) {
    const int64_t count = std::min(kPiece, x.numel() - i);
    fetch(i, values.data(), count);
    std::transform(values.begin(), values.begin() + count, out + i, convert);
  }
  return x;
}

template <class Stored>
Tensor widened(const Shape& shape, const FetchElements& fetch, const char* op) {
  return converted<Stored, int64_t>(shape, fetch, op, [](Stored x) { return static_cast<int64_t>(x); });
}

Tensor unsigned_64(const Shape& shape, const FetchElements& fetch, const char* op, const std::string& where) {
  const Tensor x = filled<int64_t>(shape, fetch, op);
  const int64_t* value = x.numel() > 0 ? x.data<int64_t>() : nullptr;
  for (int64_t i = 0; i < x.numel(); ++i)  // a highest bit that is set does not fit an i64
    check(value[i] >= 0, ErrorKind::kData, op, where, ": element ", i, " is ", static_cast<uint64_t>(value[i]),
          ", above 2^63 - 1");
  return x;
}

}  // namespace

const StoredType* find_stored_type(const std::string& name) {
  const StoredType* type =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const StoredType& t) { return name == t.name; });
  return type == std::end(kTypes) ? nullptr : type;
}

Tensor read_stored(const StoredType& type, const Shape& shape, const FetchElements& fetch, const char* op,
                   const std::string& where) {
  const std::string name = type.name;
  if (name == "F32") return filled<float>(shape, fetch, op);
  if (name == "F64") return filled<double>(shape, fetch, op);
  if (name == "I64") return filled<int64_t>(shape, fetch, op);
  if (name == "U8") return filled<uint8_t>(shape, fetch, op);
  if (name == "F16") return converted<uint16_t, float>(shape, fetch, op, half_to_float);
  if (name == "BF16") return converted<Bf16, float>(shape, fetch, op, detail::value_of);
  if (name == "BOOL")
    return converted<uint8_t, uint8_t>(shape, fetch, op, [](uint8_t x) { return static_cast<uint8_t>(x != 0); });
  if (name == "I32") return widened<int32_t>(shape, fetch, op);
  if (name == "I16") return widened<int16_t>(shape, fetch, op);
  if (name == "I8") return widened<int8_t>(shape, fetch, op);
  if (name == "U16") return widened<uint16_t>(shape, fetch, op);
  if (name == "U32") return widened<uint32_t>(shape, fetch, op);
  return unsigned_64(shape, fetch, op, where);
}

}  // namespace vitrail
