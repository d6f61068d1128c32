// Python's pickles: every opcode that savers use, and limits that no pickle passes.
#include "models/weights/formats/pickle.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "tests/support/weight_files.h"

using namespace vitrail;
using namespace vitrail::testing;
using Kind = PickleNode::Kind;

namespace {

void anything(const std::string&) {}

Pickle parse(const std::string& bytes, const GlobalRule& rule = anything) {
  int64_t position = 0;
  const Pickle pickle = read_pickle(text_source(bytes), position, rule);
  CHECK(position == static_cast<int64_t>(bytes.size()));
  return pickle;
}

// The tree as text: [1, "a", None]
std::string shown(const Pickle& pickle, const PickleNode& node, int depth = 0) {
  if (depth > 5) return "...";
  std::string items;
  for (const uint32_t i : node.items) items += (items.empty() ? "" : ", ") + shown(pickle, pickle[i], depth + 1);
  switch (node.kind) {
    case Kind::kNone: return "None";
    case Kind::kBool: return node.integer == 1 ? "True" : "False";
    case Kind::kInteger: return node.text.empty() ? std::to_string(node.integer) : "wide";
    case Kind::kReal: return cat(node.number);
    case Kind::kText: return "'" + node.text + "'";
    case Kind::kBytes: return "b'" + node.text + "'";
    case Kind::kList: return "[" + items + "]";
    case Kind::kTuple: return "(" + items + ")";
    case Kind::kDict: return "{" + items + "}";
    case Kind::kGlobal: return node.text;
    case Kind::kCall: return "call(" + items + ")";
    case Kind::kPersistent: return "outside(" + items + ")";
  }
  return "?";
}
std::string shown(const std::string& bytes) {
  const Pickle pickle = parse(bytes);
  return shown(pickle, pickle[pickle.root]);
}

bool refused(const std::string& bytes, const std::string& part) {
  int64_t position = 0;
  return refuses([&] { read_pickle(text_source(bytes), position, anything); }, ErrorKind::kData, part);
}

std::string repeated(const std::string& bytes, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += bytes;
  return out;
}

using namespace std::string_literals;

}  // namespace

TEST_CASE("pickle: plain values of every protocol") {
  CHECK(shown("N.") == "None");
  CHECK(shown("\x80\x02\x88.") == "True");
  CHECK(shown("I00\n.") == "False");
  CHECK(shown("I-12\n.") == "-12");
  CHECK(shown("L123L\n.") == "123");
  CHECK(shown("J\xff\xff\xff\xff.") == "-1");
  CHECK(shown("K\xff.") == "255");
  CHECK(shown("M\x01\x02.") == "513");
  CHECK(shown("\x8a\x00."s) == "0");
  CHECK(shown("\x8a\x02\x00\x80."s) == "-32768");
  CHECK(shown("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.") == "wide");
  CHECK(shown("L99999999999999999999L\n.") == "wide");
  CHECK(shown("\x8b\x01\x00\x00\x00\x07."s) == "7");
  CHECK(shown("F-1.5\n.") == "-1.5");
  CHECK(shown("G\x3f\xe0\x00\x00\x00\x00\x00\x00."s) == "0.5");
  CHECK(shown("S'old'\n.") == "'old'");
  CHECK(shown("Vold\n.") == "'old'");
  CHECK(shown("U\x02hi.") == "'hi'");
  CHECK(shown("T\x02\x00\x00\x00hi."s) == "'hi'");
  CHECK(shown("X\x02\x00\x00\x00hi."s) == "'hi'");
  CHECK(shown("\x8c\x02hi.") == "'hi'");
  CHECK(shown("\x8d\x02\x00\x00\x00\x00\x00\x00\x00hi."s) == "'hi'");
  CHECK(shown("C\x02hi.") == "b'hi'");
  CHECK(shown("B\x02\x00\x00\x00hi."s) == "b'hi'");
  CHECK(shown("\x8e\x02\x00\x00\x00\x00\x00\x00\x00hi."s) == "b'hi'");
  CHECK(shown("\x96\x02\x00\x00\x00\x00\x00\x00\x00hi."s) == "b'hi'");
}

TEST_CASE("pickle: containers, the memo and the stack") {
  CHECK(shown("](K\x01K\x02"
              "e.") == "[1, 2]");
  CHECK(shown("]K\x01"
              "a.") == "[1]");
  CHECK(shown("(K\x01K\x02l.") == "[1, 2]");
  CHECK(shown("(K\x01t.") == "(1)");
  CHECK(shown("K\x01\x85K\x02K\x03\x86\x86.") == "((1), (2, 3))");
  CHECK(shown("}U\x01"
              "aK\x01s(U\x01"
              "bNu.") == "{'a', 1, 'b', None}");
  CHECK(shown("(U\x01"
              "aK\x01"
              "d.") == "{'a', 1}");
  CHECK(shown("\x8f(K\x01K\x02\x90.") == "[1, 2]");
  CHECK(shown("(K\x01\x91.") == "[1]");
  CHECK(shown("K\x05q\x00"
              "0h\x00."s) == "5");
  CHECK(shown("K\x05\x94"
              "0h\x00."s) == "5");
  CHECK(shown("K\x05p7\n0g7\n.") == "5");
  CHECK(shown("K\x05r\x01\x00\x00\x00"
              "0j\x01\x00\x00\x00."s) == "5");
  CHECK(shown("K\x05"
              "2\x86.") == "(5, 5)");
  CHECK(shown("K\x05(K\x01K\x02"
              "1.") == "5");
  CHECK(shown("K\x05(0.") == "5");
  CHECK(shown("\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00N."s) == "None");
}

TEST_CASE("pickle: nothing is called; the tree says what would have been") {
  CHECK(shown("cposix\nsystem\nU\x02ls\x85R.") == "call(posix.system, ('ls'))");
  CHECK(shown("\x8c\x01"
              "a\x8c\x01"
              "b\x93.") == "a.b");
  CHECK(shown("ca\nB\n)\x81}b.") == "call(a.B, (), {})");
  CHECK(shown("ca\nB\n)}\x92.") == "call(a.B, ())");
  CHECK(shown("(K\x01ia\nB\n.") == "call(a.B, (1))");
  CHECK(shown("(ca\nB\nK\x01o.") == "call(a.B, (1))");
  CHECK(shown("U\x01xQ.") == "outside('x')");
  CHECK(shown("Px\n.") == "outside('x')");
  CHECK(shown("ccollections\nOrderedDict\n)RU\x01"
              "aK\x01s}b.") == "{'a', 1}");
  CHECK(shown("ccollections\nOrderedDict\n]]U\x01"
              "aaK\x01"
              "aa\x85R.") == "{'a', 1}");
  CHECK(shown("c__builtin__\nset\n](K\x01K\x02"
              "e\x85R.") == "[1, 2]");
  std::vector<std::string> asked;
  parse(
      "ca\nB\n0\x8c\x01"
      "c\x8c\x01"
      "d\x93.",
      [&](const std::string& global) { asked.push_back(global); });
  CHECK(asked == std::vector<std::string>{"a.B", "c.d"});
}

TEST_CASE("pickle: a list that holds itself is a loop of indices") {
  const Pickle pickle = parse(
      "]q\x00h\x00"
      "a."s);
  CHECK(pickle[pickle.root].items == std::vector<uint32_t>{pickle.root});
}

TEST_CASE("pickle: of long texts the beginning is kept") {
  const std::string text(100'000, 'x');
  const Pickle pickle = parse("\x80\x02(" + pickled_text(text) + pickled_text("end") + "t.");
  const PickleNode& first = pickle[pickle[pickle.root].items[0]];
  CHECK(first.cut);
  CHECK(first.text == text.substr(0, PickleNode::kKept));
  CHECK(pickle[pickle[pickle.root].items[1]].text == "end");
}

TEST_CASE("pickle: what is damaged is refused with the byte where it shows") {
  CHECK(refused("", "truncated: the pickle ends early"));
  CHECK(refused("K", "truncated"));
  CHECK(refused("X\xff\xff\xff\xff", "truncated: a text goes beyond the end (byte 5)"));
  CHECK(refused("\x8e\xff\xff\xff\xff\xff\xff\xff\xff", "truncated"));
  CHECK(refused(".", "does not end with one object"));
  CHECK(refused("NN.", "does not end with one object"));
  CHECK(refused("0.", "the stack is empty"));
  CHECK(
      refused("(K\x01"
              "1"
              "a.",
              "the stack is empty"));
  CHECK(refused("e.", "no mark on the stack"));
  CHECK(refused("K\x01(e.", "no list or dictionary"));
  CHECK(refused("](NNu.", "no list or dictionary"));
  CHECK(refused("}(Nu.", "a key without a value"));
  CHECK(refused("h\x05.", "the memo has no such entry"));
  CHECK(refused("Iabc\n.", "no decimal number"));
  CHECK(refused("Fabc\n.", "no decimal number"));
  CHECK(refused("Snoquotes\n.", "a text without quotes"));
  CHECK(refused("K\x01)R.", "a call of something that is no name"));
  CHECK(refused("(o.", "a call without a callable"));
  CHECK(refused("NN\x93.", "a global is named by texts"));
  CHECK(refused("ccollections\nOrderedDict\n]Na\x85R.", "no pairs"));
  CHECK(refused("\x80\x06N.", "a newer protocol than 5"));
  CHECK(refused("\x82\x01.", "opcode 130 is not read"));
  CHECK(refused("\x97.", "opcode 151 is not read"));
  CHECK(refused("\x01.", "opcode 1 is not read"));
}

TEST_CASE("pickle: objects, references, text, marks and memo are limited") {
  CHECK(refused(repeated("N", 300'001), "more objects than a checkpoint has"));
  CHECK(refused("N" + repeated("2", 1'000'001), "the stack is too deep"));
  CHECK(refused("Nq\x00]"s + repeated("h\x00"
                                      "a"s,
                                      1'000'001),
                "more references than a checkpoint has"));
  CHECK(refused(repeated(pickled_text(std::string(4096, 'x')) + "0", 2049), "more text than a checkpoint has"));
  CHECK(refused(repeated("(", 1001), "nested too deep"));
  CHECK(refused("Nr\xff\xff\xff\x7f.", "more objects than a checkpoint has"));
  CHECK(refused("I" + std::string(70'000, '1') + "\n.", "a line is too long"));
}
