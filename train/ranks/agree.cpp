#include "train/ranks/agree.h"

#include <algorithm>
#include <cstdio>
#include <span>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/text.h"
#include "comm/collectives.h"
#include "tensor/ops.h"
#include "train/ranks/pack.h"

namespace vitrail {

namespace {

// The bytes of a contiguous tensor of a model. mutable_data() tells who has computed something from it that it changes.
std::span<std::byte> bytes_to_write(const std::string& name, Tensor& x) {
  check(x.is_contiguous() && (is_float(x.dtype()) || x.dtype() == Dtype::i64), ErrorKind::kValue, "ranks", escaped(name),
        " cannot be sent: it is not contiguous, or ", name_of(x.dtype()), ".");
  void* const memory = x.dtype() == Dtype::f32   ? static_cast<void*>(x.mutable_data<float>())
                       : x.dtype() == Dtype::f64 ? static_cast<void*>(x.mutable_data<double>())
                                                 : static_cast<void*>(x.mutable_data<int64_t>());
  return {static_cast<std::byte*>(memory), static_cast<size_t>(x.numel() * size_of(x.dtype()))};
}

uint32_t checksum(const nn::StateDict& tensors) {
  uint32_t crc = 0;
  for (const auto& [name, tensor] : tensors) {
    const Tensor x = contiguous(tensor);
    const auto* const memory = static_cast<const uint8_t*>(x.storage()->data()) + x.offset() * size_of(x.dtype());
    crc = crc32c({memory, static_cast<size_t>(x.numel() * size_of(x.dtype()))}, crc);
  }
  return crc;
}

// The lowest rank whose text is not rank 0's; 0 if there is none.
size_t first_other(const std::vector<std::string>& all) {
  for (size_t r = 1; r < all.size(); ++r)
    if (all[r] != all[0]) return r;
  return 0;
}

// The entry of a list or of a JSON text with the first byte that differs from the other text: all of a short one.
std::string entry_that_differs(const std::string& text, const std::string& other) {
  constexpr const char* kBorders = "\n,{}";
  const auto differs =
      static_cast<size_t>(std::mismatch(text.begin(), text.end(), other.begin(), other.end()).first - text.begin());
  const size_t before = differs == 0 ? std::string::npos : text.find_last_of(kBorders, differs - 1);
  const size_t begin = text.find_first_not_of(' ', before == std::string::npos ? 0 : before + 1);
  return begin == std::string::npos ? "" : text.substr(begin, text.find_first_of(kBorders, std::max(begin, differs)) - begin);
}

// The rank that tells the error ends this one meanwhile.
[[noreturn]] void wait_for_the_end(Communicator& comm) {
  comm.set_activity("the end of the run");
  char never = 0;  // nobody sends it: waiting for it ends this rank, too, once the one that tells is lost
  comm.wait(comm.receive(comm.rank() == 0 ? 1 : 0, std::as_writable_bytes(std::span(&never, 1))));
  fail(ErrorKind::kIo, "ranks", "another rank has met an error and did not end this one.");
}

}  // namespace

void require_same(Communicator& comm, const Facts& facts) {
  Packer packer;
  for (const auto& [name, value] : facts) packer.put(value);
  const std::vector<std::string> all = all_gather(comm, packer.bytes());
  const size_t other = first_other(all);
  if (other == 0) return;
  let_one_tell(comm, comm.rank() == static_cast<int>(other));
  Unpacker first(all[0]), here(all[other]);
  for (const auto& fact : facts) {
    const auto a = first.get<std::string>(), b = here.get<std::string>();
    check(a == b, ErrorKind::kValue, "ranks", comm.name(static_cast<int>(other)), " has another ", fact.first, " than ",
          comm.name(0), ": ", escaped(entry_that_differs(b, a), 100), ", not ", escaped(entry_that_differs(a, b), 100), ".");
  }
}

void require_same_weights(Communicator& comm, const nn::StateDict& weights, int64_t step) {
  char text[16];
  std::snprintf(text, sizeof text, "%08x", checksum(weights));
  const std::vector<std::string> all = all_gather(comm, text);
  const size_t other = first_other(all);
  if (other == 0) return;
  let_one_tell(comm, comm.rank() == static_cast<int>(other));
  fail(ErrorKind::kNumeric, "ranks", "the weights of ", comm.name(static_cast<int>(other)), " are no longer those of ",
       comm.name(0), " after update ", step, ": their checksums are ", all[other], " and ", all[0],
       ". Hint: a program, a library or memory that differs there; the last checkpoint is whole.");
}

void share(Communicator& comm, const nn::StateDict& tensors) {
  for (const auto& [name, tensor] : tensors) {
    Tensor to = tensor;
    broadcast(comm, bytes_to_write(name, to));
  }
}

void let_one_tell(Communicator& comm, bool answers) {
  const std::vector<std::string> all = all_gather(comm, answers ? "1" : "0");
  const size_t teller = static_cast<size_t>(std::find(all.begin(), all.end(), "1") - all.begin());
  if (comm.rank() != static_cast<int>(teller == all.size() ? 0 : teller)) wait_for_the_end(comm);
}

}  // namespace vitrail
