#include "labs/tool/variants.h"

#include <string>

namespace vitrail::labs {
namespace {

// The choice as a chain of ifs: in a switch, a text's `break` would leave the switch instead of its loop.
std::string chosen_body(const SourceFile& file, const Region& region, const std::vector<FileBodies>& variants) {
  std::string chain;
  for (size_t k = 0; k < variants.size(); ++k) {
    const auto its = variants[k].find(file.path);
    if (its == variants[k].end()) continue;
    const auto body = its->second.find(region.key());
    if (body != its->second.end()) chain += "if (lab::variant == " + std::to_string(k + 1) + ") {\n" + body->second + "} else ";
  }
  return chain.empty() ? "" : chain + "{\n" + body_of(file.path, file.lines, region) + "}\n";
}

}  // namespace

FileBodies with_variants(const std::vector<SourceFile>& files, const std::vector<FileBodies>& variants) {
  FileBodies all;
  for (const SourceFile& file : files) {
    Bodies bodies;
    for (const Region& region : file.regions) {
      const std::string body = chosen_body(file, region, variants);
      if (!body.empty()) bodies[region.key()] = body;
    }
    if (bodies.empty()) continue;
    bodies["HELPERS#1"] = "namespace lab { extern const int variant; }  // labs/common/main.cpp\n";
    all[file.path] = bodies;
  }
  return all;
}

}  // namespace vitrail::labs
