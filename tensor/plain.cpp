#include "tensor/plain.h"

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace vitrail {
namespace {

constexpr std::array<const char*, kPlainOps> kNames = {
    "matmul",    "linear", "softmax", "log_softmax", "layer_norm", "rms_norm", "gelu",         "cross_entropy",
    "attention", "conv2d", "pool",    "elementwise", "reduce",     "copy",     "round_to_bf16"};
constexpr uint32_t kAll = (uint32_t{1} << kPlainOps) - 1;

thread_local uint32_t guarded = 0;                        // the set named by the guards of this thread
thread_local std::array<int64_t, kPlainOps> counts = {};  // how often each ran its plain form on this thread

std::string known_names() {
  std::string text = "all";
  for (const char* name : kNames) text += std::string(", ") + name;
  return text;
}

uint32_t bit_of(std::string_view name) {
  if (name.empty()) return 0;
  if (name == "all") return kAll;
  for (int i = 0; i < kPlainOps; ++i) {
    if (name == kNames[static_cast<size_t>(i)]) return uint32_t{1} << i;
  }
  fail(ErrorKind::kValue, "plain", "unknown operation: it is \"", std::string(name.substr(0, 60)),
       "\". Hint: VITRAIL_PLAIN and PlainGuard take a list with commas of ", known_names(), ".");
}

uint32_t from_environment() {
  const char* names = std::getenv("VITRAIL_PLAIN");
  return names ? plain_ops_from_names(names) : 0;
}

}  // namespace

const char* plain_name(PlainOp op) { return kNames[static_cast<size_t>(op)]; }

uint32_t plain_ops_from_names(std::string_view names) {
  uint32_t set = 0;
  while (true) {
    const size_t comma = names.find(',');
    std::string_view name = names.substr(0, comma);
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    set |= bit_of(name);
    if (comma == std::string_view::npos) return set;
    names.remove_prefix(comma + 1);
  }
}

bool runs_plain(PlainOp op) {
  static const uint32_t everywhere = from_environment();
  const bool plain = ((everywhere | guarded) >> static_cast<int>(op) & 1) != 0;
  if (plain) ++counts[static_cast<size_t>(op)];
  return plain;
}

uint32_t guarded_plain_ops() { return guarded; }

PlainGuard::PlainGuard(std::string_view names) : PlainGuard(plain_ops_from_names(names)) {}
PlainGuard::PlainGuard(uint32_t set) : before_(guarded), runs_before_(counts) { guarded |= set; }
PlainGuard::~PlainGuard() { guarded = before_; }

int64_t PlainGuard::runs(PlainOp op) const {
  const auto i = static_cast<size_t>(op);
  return counts[i] - runs_before_[i];
}

}  // namespace vitrail
