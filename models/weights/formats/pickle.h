// Python's pickle format (protocols 0 to 5; the opcodes are described in CPython's Lib/pickletools.py), read without running
// anything: a pickle is a program for a stack machine, and where it would call a function, the tree below only says so.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/byte_source.h"

namespace vitrail {

struct PickleNode {
  enum class Kind : uint8_t {
    kNone,
    kBool,        // integer
    kInteger,     // integer; text holds the little-endian bytes of one that needs more than 64 bits
    kReal,        // number
    kText,        // text, its first kKept bytes
    kBytes,       // text, its first kKept bytes
    kList,        // items; sets too
    kTuple,       // items
    kDict,        // items: key, value, key, value, ...
    kGlobal,      // text: "module.name"
    kCall,        // items: the callable, its arguments as a tuple, then what was set on the result
    kPersistent,  // items: the identifier of an object outside the pickle
  };
  static constexpr int64_t kKept = 4096;

  Kind kind = Kind::kNone;
  bool cut = false;  // the text was longer than kKept
  int64_t integer = 0;
  double number = 0;
  std::string text{};
  std::vector<uint32_t> items{};  // indices into Pickle::nodes
};

// The objects of one pickle. Items are indices, so a pickle that contains itself is a loop of indices that owns nothing:
// whoever walks the tree must bound his depth.
struct Pickle {
  std::deque<PickleNode> nodes;
  uint32_t root = 0;

  const PickleNode& operator[](uint32_t i) const { return nodes[i]; }
  // The value of a key of a dictionary; null if there is none.
  const PickleNode* find(const PickleNode& dict, const std::string& key) const;
};

// Called with "module.name" for each global that a pickle names; throws for those that are not allowed.
using GlobalRule = std::function<void(const std::string& global)>;

// Reads the pickle that begins at byte `position` and moves `position` behind its end.
// collections.OrderedDict, defaultdict and dict become dictionaries, set and frozenset lists.
// Limits: 300,000 objects, 1 million references between them, 1 million entries on the stack and in the memo, 8 MiB of kept
// text. Error(kData) naming source and byte if the pickle is damaged, over a limit, or uses what is not read (extension codes,
// out-of-band buffers); and whatever `allowed` throws.
Pickle read_pickle(const ByteSource& source, int64_t& position, const GlobalRule& allowed);

}  // namespace vitrail
