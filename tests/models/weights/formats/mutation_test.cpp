// Thousands of damaged files of each format: each is read or refused as data. Under the sanitizers this also proves that no
// byte outside the file is touched; the memory limit, that none takes more than its size justifies.
#include <doctest/doctest.h>

#include "base/error.h"
#include "models/weights/formats/tensor_file.h"
#include "tensor/storage.h"
#include "tests/support/data_test.h"
#include "tests/support/weight_files.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

constexpr int kMutants = 5000;
constexpr int64_t kSlack = int64_t{64} << 20;

struct MemoryLimit {
  explicit MemoryLimit(int64_t bytes) { set_memory_limit(bytes); }
  ~MemoryLimit() { set_memory_limit(0); }
};

// Up to four changes of single bytes, cuts, insertions.
Bytes damaged(Bytes bytes, uint64_t number) {
  for (uint64_t i = 0; i <= number % 4 && !bytes.empty(); ++i) bytes = mutant(bytes, number * 4 + i);
  return bytes;
}

int refused_of(const std::string& name) {
  const Bytes original = read_file(kFormatFiles + name);
  const Folder folder;
  int refused = 0;
  const MemoryLimit limit(memory_stats().live_bytes + static_cast<int64_t>(original.size()) + kSlack);
  for (int i = 0; i < kMutants; ++i) {
    const Bytes bytes = damaged(original, static_cast<uint64_t>(i));
    put_content(folder.file("mutant"), std::string(bytes.begin(), bytes.end()));
    try {
      const TensorFile file = read_tensor_file(folder.file("mutant"));
      if (file.stored.size() != file.tensors.size()) FAIL("mutant ", i, " is half read");
    } catch (const Error& error) {
      const bool data = error.kind() == ErrorKind::kData || error.kind() == ErrorKind::kValue;
      if (!data) FAIL("mutant ", i, " gives another kind of error: ", std::string(error.what()));
      ++refused;
    }
  }
  return refused;
}

}  // namespace

TEST_CASE("5,000 damaged files of each format are read or refused") {
  for (const std::string name : {"sharded/model-00001-of-00002.safetensors", "arrays.npz", "packed.npz", "training.pt",
                                 "training-legacy.pt", "protocol-4.pt"}) {
    const int refused = refused_of(name);
    MESSAGE("ran ", kMutants, " mutants of ", name, ": ", refused, " refused");
    CHECK(refused > kMutants / 2);
  }
}
