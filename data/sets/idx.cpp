#include "data/sets/idx.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/gzip.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

constexpr uint8_t kUnsignedByte = 0x08;

struct IdxHeader {
  Shape shape;
  int64_t header_bytes = 0, element_bytes = 0;
};

// `head` is the beginning of the file, at least 4 + 4 * rank bytes of it if there are so many.
IdxHeader parse_header(const std::vector<uint8_t>& head, const std::string& file, int rank) {
  const auto have = static_cast<int64_t>(head.size());
  check(have >= 4, ErrorKind::kData, "idx", file, ": too short for a magic number: it has ", have, " of 4 bytes");
  check(head[0] == 0 && head[1] == 0, ErrorKind::kData, "idx", file, ": not an IDX file: it begins with bytes ", int{head[0]},
        " ", int{head[1]}, ", not 0 0");
  check(head[2] == kUnsignedByte, ErrorKind::kData, "idx", file, ": elements must be unsigned bytes (type 8): their type is ",
        int{head[2]});
  check(head[3] == rank, ErrorKind::kData, "idx", file, ": rank must be ", rank, rank == 3 ? " (images)" : "",
        rank == 1 ? " (labels)" : "", ": it is ", int{head[3]});
  IdxHeader h;
  h.header_bytes = 4 + 4 * int64_t{rank};
  check(have >= h.header_bytes, ErrorKind::kData, "idx", file, ": the header is cut off: it has ", have, " of ", h.header_bytes,
        " bytes");
  for (int i = 0; i < rank; ++i) {
    const uint8_t* b = head.data() + 4 + 4 * i;
    const int64_t extent = int64_t{b[0]} << 24 | b[1] << 16 | b[2] << 8 | b[3];
    check(extent >= 1, ErrorKind::kData, "idx", file, ": extent ", i, " must be positive: it is 0");
    h.shape.push_back(extent);
  }
  try {
    h.element_bytes = checked_bytes(h.shape, 1, "idx");
  } catch (const Error& error) {
    fail(ErrorKind::kData, "idx", file, ": the extents ", h.shape, " are too large");
  }
  return h;
}

void check_size(const IdxHeader& h, int64_t have, bool packed, const std::string& file) {
  const int64_t wanted = h.header_bytes + h.element_bytes;
  const char* what = packed ? " unpacked bytes" : " bytes";
  check(have >= wanted, ErrorKind::kData, "idx", file, ": cut off: extents ", h.shape, " need ", wanted, what, ", there are ",
        have);
  check(have <= wanted, ErrorKind::kData, "idx", file, ": extents ", h.shape, " need ", wanted, what, ", there are more",
        packed ? std::string() : cat(" (", have, ")"));
}

// The first of the usual names that exists.
std::string find_file(const std::string& folder, const std::string& split, const std::string& kind) {
  std::error_code ignored;
  check(std::filesystem::is_directory(folder, ignored), ErrorKind::kIo, "data", escaped(folder), ": there is no such folder");
  std::string tried;
  for (const char* dot : {"-", "."}) {
    for (const char* packing : {"", ".gz"}) {
      const std::string name = cat(split, "-", kind, dot, "idx", kind == "images" ? 3 : 1, "-ubyte", packing);
      const std::string path = (std::filesystem::path(folder) / name).string();
      if (std::filesystem::exists(path, ignored)) return path;
      tried += cat(tried.empty() ? "" : ", ", name);
    }
  }
  fail(ErrorKind::kIo, "data", escaped(folder), ": a file is missing: looked for ", tried);
}

}  // namespace

Tensor decode_idx(const std::vector<uint8_t>& bytes, const std::string& name, int rank) {
  check(rank >= 1 && rank <= kMaxDims, ErrorKind::kValue, "idx", "rank must be in [1, ", kMaxDims, "]: it is ", rank);
  const std::string file = escaped(name);
  const bool packed = is_gzip(bytes);
  const IdxHeader h = parse_header(packed ? gunzip(bytes, name, 4 + 4 * int64_t{rank}) : bytes, file, rank);
  // One byte more than wanted: then a packed file that holds too much is noticed without unpacking all of it.
  std::vector<uint8_t> unpacked;
  if (packed) unpacked = gunzip(bytes, name, h.header_bytes + h.element_bytes + 1);
  const std::vector<uint8_t>& plain = packed ? unpacked : bytes;
  check_size(h, static_cast<int64_t>(plain.size()), packed, file);
  Tensor result = empty(h.shape, Dtype::u8, "idx");
  std::copy(plain.begin() + h.header_bytes, plain.end(), result.mutable_data<uint8_t>());
  return result;
}

Tensor read_idx(const std::string& path, int rank) { return decode_idx(read_file(path), path, rank); }

DatasetPtr read_mnist_folder(const std::string& folder, const std::string& split, DatasetInfo info) {
  const std::string image_path = find_file(folder, split, "images");
  const std::string label_path = find_file(folder, split, "labels");
  const Tensor images = read_idx(image_path, 3), labels = read_idx(label_path, 1);
  const int64_t count = images.size(0);
  check(count == labels.size(0), ErrorKind::kData, "idx", escaped(label_path), ": ", labels.size(0), " labels for ", count,
        " images of ", escaped(image_path));
  check(images.size(1) == info.height && images.size(2) == info.width, ErrorKind::kData, "idx", escaped(image_path),
        ": images are ", images.size(1), " x ", images.size(2), ": ", info.name, " has ", info.height, " x ", info.width);
  const uint8_t* label = labels.data<uint8_t>();
  for (int64_t i = 0; i < count; ++i) {
    check(label[i] < info.class_names.size(), ErrorKind::kData, "idx", escaped(label_path), ": label ", int{label[i]},
          " of image ", i, " is out of range: ", info.name, " has ", info.class_names.size(), " classes");
  }
  const Shape shape{count, 1, info.height, info.width};
  return std::make_shared<MemoryDataset>(std::move(info), reshape(images, shape), to(labels, Dtype::i64));
}

}  // namespace vitrail
