#include "train/ranks/ranks.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/text.h"
#include "comm/all_reduce.h"
#include "comm/collectives.h"
#include "tensor/ops.h"
#include "train/ranks/pack.h"

namespace vitrail {

namespace {

// The signals that end a run, in the order in which they count: what several ranks hear is told by the first.
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
constexpr size_t kSignalCount = std::size(kSignals);

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

}  // namespace

Ranks::Ranks(const RanksOptions& options) : options_(options), sum_(*options.comm, options.gradients) {}

void Ranks::require_same(Facts facts) {
  facts.insert(facts.end(), options_.facts.begin(), options_.facts.end());
  Packer packer;
  for (const auto& [name, value] : facts) packer.put(value);
  const std::vector<std::string> all = all_gather(comm(), packer.bytes());
  const size_t other = first_other(all);
  if (other == 0) return;
  let_one_tell(comm().rank() == static_cast<int>(other));
  Unpacker first(all[0]), here(all[other]);
  for (const auto& fact : facts) {
    const auto a = first.get<std::string>(), b = here.get<std::string>();
    check(a == b, ErrorKind::kValue, "ranks", comm().name(static_cast<int>(other)), " has another ", fact.first, " than ",
          comm().name(0), ": ", escaped(entry_that_differs(b, a), 100), ", not ", escaped(entry_that_differs(a, b), 100), ".");
  }
}

void Ranks::share(const nn::StateDict& tensors) {
  for (const auto& [name, tensor] : tensors) {
    Tensor to = tensor;
    broadcast(comm(), bytes_to_write(name, to));
  }
}

void Ranks::check_weights(const nn::StateDict& weights, int64_t step) {
  char text[16];
  std::snprintf(text, sizeof text, "%08x", checksum(weights));
  const std::vector<std::string> all = all_gather(comm(), text);
  const size_t other = first_other(all);
  if (other == 0) return;
  let_one_tell(comm().rank() == static_cast<int>(other));
  fail(ErrorKind::kNumeric, "ranks", "the weights of ", comm().name(static_cast<int>(other)), " are no longer those of ",
       comm().name(0), " after update ", step, ": their checksums are ", all[other], " and ", all[0],
       ". Hint: a program, a library or memory that differs there; the last checkpoint is whole.");
}

void Ranks::begin_step(int64_t step, int signal, bool save) {
  comm().set_activity(cat("update ", step + 1));
  std::vector<double>& beside = sum_.beside();
  beside.assign(kSignalCount + 1, 0);
  for (size_t i = 0; i < kSignalCount; ++i) beside[i] = signal == kSignals[i];
  beside[kSignalCount] = save;
}

void Ranks::end_step(double seconds) {
  signal_ = 0;
  const std::vector<double>& beside = sum_.beside();
  for (size_t i = kSignalCount; i-- > 0;)
    if (beside[i] > 0) signal_ = kSignals[i];
  save_ = beside[kSignalCount] > 0;
  seconds_ += seconds;
  ++steps_;
}

void Ranks::lead(const std::function<void()>& work) {
  comm().set_activity_after("what rank 0 writes");
  if (leads()) work();
  barrier(comm());
}

void Ranks::let_one_tell(bool answers) {
  const std::vector<std::string> all = all_gather(comm(), answers ? "1" : "0");
  const size_t teller = static_cast<size_t>(std::find(all.begin(), all.end(), "1") - all.begin());
  if (comm().rank() != static_cast<int>(teller == all.size() ? 0 : teller)) wait_for_the_end();
}

// The rank that tells the error ends this one meanwhile.
void Ranks::wait_for_the_end() {
  comm().set_activity("the end of the run");
  char never = 0;
  const TransferPtr message = comm().receive(comm().rank() == 0 ? 1 : 0, std::as_writable_bytes(std::span(&never, 1)));
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - start < std::chrono::seconds(30)) {
    message->test();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  fail(ErrorKind::kIo, "ranks", "another rank has met an error and did not end this one.");
}

std::string Ranks::summary() {
  Packer packer;
  packer.put(seconds_).put(sum_.exposed_seconds()).put(comm().sent());
  const std::vector<std::string> all = all_gather(comm(), packer.bytes());
  // Who computes longest waits for nobody: what it does not compute is communication; the others wait for it, too.
  int slowest = 0;
  double computed = -1, whole = 0, exposed = 0, waited = 0, sent = 0;
  for (size_t r = 0; r < all.size(); ++r) {
    Unpacker unpacker(all[r]);
    const auto seconds = unpacker.get<double>(), open = unpacker.get<double>();
    sent = std::max(sent, unpacker.get<double>());
    if (seconds - open > computed) computed = seconds - open, slowest = static_cast<int>(r), whole = seconds, exposed = open;
    waited = std::max(waited, open);
  }
  if (steps_ == 0 || whole <= 0) return "";
  const double updates = static_cast<double>(steps_);
  char text[256];
  std::snprintf(
      text, sizeof text,
      "an update took %.4g ms: %.1f %% computing, %.1f %% communication that nothing hid; waiting for the slowest rank at "
      "most %.1f %%; %.3g MB sent by a rank in an update; slowest: ",
      1000 * whole / updates, 100 * computed / whole, 100 * exposed / whole, 100 * std::max(0.0, waited - exposed) / whole,
      sent / updates / 1e6);
  return text + comm().name(slowest);
}

}  // namespace vitrail
