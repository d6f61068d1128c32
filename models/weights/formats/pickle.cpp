#include "models/weights/formats/pickle.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "models/weights/formats/pickle_input.h"

namespace vitrail {
namespace {

using Kind = PickleNode::Kind;

constexpr size_t kMaxNodes = 300'000, kMaxReferences = 1'000'000, kMaxStack = 1'000'000, kMaxMemo = 1'000'000;
constexpr size_t kMaxMarks = 1000;              // depth of what is open at a time
constexpr size_t kMaxKept = size_t{8} << 20;    // bytes of text
constexpr int64_t kMaxLine = int64_t{1} << 16;  // of protocol 0
constexpr uint8_t kHighestProtocol = 5;
constexpr uint32_t kNoNode = 0xffffffff;

class Unpickler {
 public:
  Unpickler(const ByteSource& source, int64_t position, const GlobalRule& allowed)
      : input_(source, position), allowed_(allowed) {}

  Pickle run() {
    for (uint8_t op = input_.byte(); op != '.'; op = input_.byte()) {
      const bool known = number(op) || text(op) || container(op) || addition(op) || stack_or_memo(op) || call(op);
      if (!known) input_.refuse(cat("opcode ", static_cast<int>(op), " is not read"));
    }
    require(stack_.size() == 1 && marks_.empty(), "the pickle does not end with one object");
    pickle_.root = stack_[0];
    return std::move(pickle_);
  }
  int64_t position() const { return input_.position(); }

 private:
  void require(bool rule, const char* what) const { input_.require(rule, what); }

  // ---- the tree

  PickleNode& node(uint32_t i) { return pickle_.nodes[i]; }
  uint32_t add(PickleNode made) {
    require(pickle_.nodes.size() < kMaxNodes, "more objects than a checkpoint has");
    kept_ += made.text.size();
    require(kept_ <= kMaxKept, "more text than a checkpoint has");
    count_references(made.items.size());
    pickle_.nodes.push_back(std::move(made));
    return static_cast<uint32_t>(pickle_.nodes.size() - 1);
  }
  void count_references(size_t count) {
    references_ += count;
    require(references_ <= kMaxReferences, "more references than a checkpoint has");
  }
  void append(uint32_t to, const std::vector<uint32_t>& items) {
    count_references(items.size());
    node(to).items.insert(node(to).items.end(), items.begin(), items.end());
  }

  // ---- the stack

  bool push(uint32_t i) {
    require(stack_.size() < kMaxStack, "the stack is too deep");
    stack_.push_back(i);
    return true;
  }
  bool push_new(PickleNode made) { return push(add(std::move(made))); }
  bool push_integer(int64_t value) { return push_new({.kind = Kind::kInteger, .integer = value}); }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  uint32_t top() const {
    require(stack_.size() > floor(), "the stack is empty");
    return stack_.back();
  }
  uint32_t pop() {
    const uint32_t i = top();
    stack_.pop_back();
    return i;
  }
  // What was pushed since the last mark.
  std::vector<uint32_t> pop_mark() {
    require(!marks_.empty(), "no mark on the stack");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<uint32_t> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }
  std::vector<uint32_t> pop_items(size_t count) {
    std::vector<uint32_t> items(count);
    for (size_t i = count; i-- > 0;) items[i] = pop();
    return items;
  }

  // ---- opcodes; each function returns whether `op` is one of its own

  bool number(uint8_t op) {
    switch (op) {
      case 'N': return push_new({.kind = Kind::kNone});
      case 0x88:
      case 0x89: return push_new({.kind = Kind::kBool, .integer = op == 0x88});
      case 'I':
      case 'L': return decimal(input_.line(kMaxLine));
      case 'J': return push_integer(static_cast<int32_t>(input_.number(4)));
      case 'K': return push_integer(input_.byte());
      case 'M': return push_integer(static_cast<int64_t>(input_.number(2)));
      case 0x8a: return wide_integer(input_.byte());
      case 0x8b: return wide_integer(input_.number(4));
      case 'F': return real(input_.line(kMaxLine));
      case 'G': return push_new({.kind = Kind::kReal, .number = input_.real()});
      default: return false;
    }
  }

  bool decimal(std::string line) {
    if (line == "00" || line == "01") return push_new({.kind = Kind::kBool, .integer = line == "01"});
    if (line.ends_with('L')) line.pop_back();
    PickleNode made{.kind = Kind::kInteger};
    const char* end = line.data() + line.size();
    const auto [stop, error] = std::from_chars(line.data(), end, made.integer);
    require(stop == end && !line.empty(), "no decimal number");
    if (error == std::errc::result_out_of_range) made.text = line.substr(0, PickleNode::kKept);
    return push_new(std::move(made));
  }

  bool real(const std::string& line) {
    PickleNode made{.kind = Kind::kReal};
    const char* end = line.data() + line.size();
    const auto [stop, error] = std::from_chars(line.data(), end, made.number);
    require(stop == end && !line.empty() && error != std::errc::invalid_argument, "no decimal number");
    return push_new(std::move(made));
  }

  // Two's complement, little-endian.
  bool wide_integer(uint64_t bytes) {
    const std::string text = input_.text(bytes, PickleNode::kKept);
    if (bytes > 8) return push_new({.kind = Kind::kInteger, .text = text});
    uint64_t value = bytes > 0 && (text.back() & 0x80) != 0 ? ~uint64_t{0} : 0;
    for (size_t i = text.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(text[i]);
    return push_integer(static_cast<int64_t>(value));
  }

  bool text(uint8_t op) {
    switch (op) {
      case 'S': return quoted(input_.line(kMaxLine));
      case 'V': return kept(Kind::kText, input_.line(kMaxLine));
      case 'U':
      case 0x8c: return sized(Kind::kText, input_.byte());
      case 'T':
      case 'X': return sized(Kind::kText, input_.number(4));
      case 0x8d: return sized(Kind::kText, input_.number(8));
      case 'C': return sized(Kind::kBytes, input_.byte());
      case 'B': return sized(Kind::kBytes, input_.number(4));
      case 0x8e:
      case 0x96: return sized(Kind::kBytes, input_.number(8));
      default: return false;
    }
  }
  bool sized(Kind kind, uint64_t bytes) {
    const bool cut = bytes > static_cast<uint64_t>(PickleNode::kKept);
    return push_new({.kind = kind, .cut = cut, .text = input_.text(bytes, PickleNode::kKept)});
  }
  bool kept(Kind kind, const std::string& line) {
    const size_t most = PickleNode::kKept;
    return push_new({.kind = kind, .cut = line.size() > most, .text = line.substr(0, most)});
  }
  bool quoted(const std::string& line) {
    const bool quotes = line.size() >= 2 && line.front() == line.back() && (line.front() == '\'' || line.front() == '"');
    require(quotes, "a text without quotes");
    return kept(Kind::kText, line.substr(1, line.size() - 2));
  }

  bool container(uint8_t op) {
    switch (op) {
      case ']':
      case 0x8f: return push_new({.kind = Kind::kList});
      case ')': return push_new({.kind = Kind::kTuple});
      case '}': return push_new({.kind = Kind::kDict});
      case '(':
        require(marks_.size() < kMaxMarks, "nested too deep");
        marks_.push_back(stack_.size());
        return true;
      case 'l':
      case 0x91: return push_new({.kind = Kind::kList, .items = pop_mark()});
      case 't': return push_new({.kind = Kind::kTuple, .items = pop_mark()});
      case 'd': return dictionary(pop_mark());
      case 0x85:
      case 0x86:
      case 0x87: return push_new({.kind = Kind::kTuple, .items = pop_items(op - 0x84u)});
      default: return false;
    }
  }
  bool dictionary(std::vector<uint32_t> items) {
    require(items.size() % 2 == 0, "a key without a value");
    return push_new({.kind = Kind::kDict, .items = std::move(items)});
  }

  bool addition(uint8_t op) {
    std::vector<uint32_t> items;
    switch (op) {
      case 'a': items = pop_items(1); break;
      case 's': items = pop_items(2); break;
      case 'e':
      case 'u':
      case 0x90: items = pop_mark(); break;
      default: return false;
    }
    const bool pairs = op == 's' || op == 'u';
    require(node(top()).kind == (pairs ? Kind::kDict : Kind::kList), "something is added to what is no list or dictionary");
    require(!pairs || items.size() % 2 == 0, "a key without a value");
    append(top(), items);
    return true;
  }

  bool stack_or_memo(uint8_t op) {
    switch (op) {
      case 0x80: require(input_.byte() <= kHighestProtocol, "a newer protocol than 5"); return true;
      case 0x95: input_.number(8); return true;  // the length of a frame: a hint for reading ahead
      case '0':
        if (!marks_.empty() && marks_.back() == stack_.size())
          marks_.pop_back();
        else
          pop();
        return true;
      case '1': pop_mark(); return true;
      case '2': return push(top());
      case 'g': return get(index(input_.line(kMaxLine)));
      case 'h': return get(input_.byte());
      case 'j': return get(input_.number(4));
      case 'p': return put(index(input_.line(kMaxLine)));
      case 'q': return put(input_.byte());
      case 'r': return put(input_.number(4));
      case 0x94: return put(memoized_);
      default: return false;
    }
  }
  uint64_t index(const std::string& line) const {
    uint64_t value = 0;
    const char* end = line.data() + line.size();
    const auto [stop, error] = std::from_chars(line.data(), end, value);
    require(stop == end && error == std::errc(), "no decimal number");
    return value;
  }
  bool get(uint64_t i) {
    require(i < memo_.size() && memo_[i] != kNoNode, "the memo has no such entry");
    return push(memo_[i]);
  }
  bool put(uint64_t i) {
    require(i < kMaxMemo, "more objects than a checkpoint has");
    if (i >= memo_.size()) memo_.resize(i + 1, kNoNode);
    memoized_ += memo_[i] == kNoNode ? 1 : 0;
    memo_[i] = top();
    return true;
  }

  bool call(uint8_t op) {
    switch (op) {
      case 'c': {
        const std::string module = input_.line(kMaxLine);
        return global(module, input_.line(kMaxLine));
      }
      case 0x93: {
        const std::vector<uint32_t> names = pop_items(2);
        const PickleNode &module = node(names[0]), &name = node(names[1]);
        require(module.kind == Kind::kText && name.kind == Kind::kText && !module.cut && !name.cut,
                "a global is named by texts");
        return global(module.text, name.text);
      }
      case 'R':
      case 0x81: {
        const std::vector<uint32_t> parts = pop_items(2);
        return made(parts[0], parts[1]);
      }
      case 0x92: {
        const std::vector<uint32_t> parts = pop_items(3);
        return made(parts[0], parts[1]);
      }
      case 'i': {
        const std::string module = input_.line(kMaxLine), name = input_.line(kMaxLine);
        const uint32_t arguments = add({.kind = Kind::kTuple, .items = pop_mark()});
        global(module, name);
        return made(pop(), arguments);
      }
      case 'o': {
        std::vector<uint32_t> items = pop_mark();
        require(!items.empty(), "a call without a callable");
        const uint32_t callable = items[0];
        items.erase(items.begin());
        return made(callable, add({.kind = Kind::kTuple, .items = std::move(items)}));
      }
      case 'b': return build();
      case 'P': {
        kept(Kind::kText, input_.line(kMaxLine));
        return push_new({.kind = Kind::kPersistent, .items = pop_items(1)});
      }
      case 'Q': return push_new({.kind = Kind::kPersistent, .items = pop_items(1)});
      default: return false;
    }
  }

  bool global(const std::string& module, const std::string& name) {
    const std::string full = module + "." + name;
    require(full.size() <= static_cast<size_t>(PickleNode::kKept), "a global's name is too long");
    allowed_(full);
    return push_new({.kind = Kind::kGlobal, .text = full});
  }

  // The result of calling `callable`: nothing is called, but dictionaries and sets are made here, since items follow.
  bool made(uint32_t callable, uint32_t arguments) {
    require(node(callable).kind == Kind::kGlobal && node(arguments).kind == Kind::kTuple,
            "a call of something that is no name");
    const std::string_view full = node(callable).text, name = full.substr(full.rfind('.') + 1);
    if (name == "OrderedDict" || name == "defaultdict" || name == "dict" || name == "Counter") {
      const uint32_t dict = add({.kind = Kind::kDict});
      if (name != "defaultdict") add_pairs(dict, node(arguments).items);
      return push(dict);
    }
    if (name == "set" || name == "frozenset") {
      const std::vector<uint32_t>& given = node(arguments).items;
      const bool list = given.size() == 1 && node(given[0]).kind == Kind::kList;
      return push_new({.kind = Kind::kList, .items = list ? node(given[0]).items : std::vector<uint32_t>{}});
    }
    return push_new({.kind = Kind::kCall, .items = {callable, arguments}});
  }

  // OrderedDict([[key, value], ...]), as Python 2 writes it.
  void add_pairs(uint32_t dict, const std::vector<uint32_t>& arguments) {
    if (arguments.empty()) return;
    const PickleNode& given = node(arguments[0]);
    if (given.kind == Kind::kDict) return append(dict, given.items);
    require(given.kind == Kind::kList || given.kind == Kind::kTuple, "a dictionary made of something else");
    for (const uint32_t i : given.items) {
      const PickleNode& pair = node(i);
      require((pair.kind == Kind::kList || pair.kind == Kind::kTuple) && pair.items.size() == 2,
              "a dictionary made of no pairs");
      append(dict, pair.items);
    }
  }

  // Attributes that are set on an object: those of a dictionary (torch's _metadata) describe nothing that is read.
  bool build() {
    const uint32_t state = pop();
    if (node(top()).kind == Kind::kCall) append(top(), {state});
    return true;
  }

  PickleInput input_;
  const GlobalRule& allowed_;
  Pickle pickle_;
  std::vector<uint32_t> stack_;
  std::vector<size_t> marks_;
  std::vector<uint32_t> memo_;  // its numbers are those of a dense count
  size_t memoized_ = 0, references_ = 0, kept_ = 0;
};

}  // namespace

const PickleNode* Pickle::find(const PickleNode& dict, const std::string& key) const {
  for (size_t i = 0; dict.kind == Kind::kDict && i + 1 < dict.items.size(); i += 2)
    if (nodes[dict.items[i]].kind == Kind::kText && nodes[dict.items[i]].text == key) return &nodes[dict.items[i + 1]];
  return nullptr;
}

Pickle read_pickle(const ByteSource& source, int64_t& position, const GlobalRule& allowed) {
  Unpickler unpickler(source, position, allowed);
  Pickle pickle = unpickler.run();
  position = unpickler.position();
  return pickle;
}

}  // namespace vitrail
