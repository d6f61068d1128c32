// Patterns of dotted paths, by which parts of a model are named: "patch_embed.*, pos_embed, blocks.0-5.*".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vitrail {

// One pattern. "*" stands for any characters, dots included, "?" for one; a part "0-5" between dots for the numbers 0 to 5.
// Everything else stands for itself.
class PathPattern {
 public:
  // Error(kValue) with `what` in front for a pattern that is empty, longer than 200 bytes, or has a range that runs backwards.
  PathPattern(const std::string& text, const char* what);
  const std::string& text() const { return text_; }
  bool matches(const std::string& path) const;
  // The path itself, or a part above it: "blocks.0" names "blocks.0.norm1.weight".
  bool matches_from_start(const std::string& path) const;
  // The path itself, or its last parts: "attn.qkv" names "blocks.0.attn.qkv".
  bool matches_end(const std::string& path) const;

 private:
  enum class Kind { kCharacter, kOne, kMany, kNumber };
  struct Token {
    Kind kind;
    char character = 0;
    int64_t low = 0, high = 0;
  };
  void add_part(const std::string& part, const char* what);

  std::string text_;
  std::vector<Token> tokens_;
};

// Several, between commas; blanks around them do not count. The empty text gives none. Errors as above.
std::vector<PathPattern> path_patterns(const std::string& list, const char* what);

}  // namespace vitrail
