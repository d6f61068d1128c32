#include "train/finetune/modes.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace vitrail {

const std::vector<FinetuneMode>& finetune_modes() {
  static const std::vector<FinetuneMode> all{
      {"full", "finetune", "every weight, each block at its own rate"},
      {"partial", "partial", "the last two blocks, what follows them, and the head"},
      {"lora", "lora", "low-rank updates of the attention, and the head"},
      {"bitfit", "bitfit", "biases, norms, and the head"},
      {"probe", "probe", "the head alone"},
  };
  return all;
}

const FinetuneMode& find_mode(const std::string& name) {
  std::vector<std::string> names;
  std::string list;
  for (const FinetuneMode& mode : finetune_modes()) {
    if (mode.name == name) return mode;
    names.push_back(mode.name);
    list += (list.empty() ? "" : ", ") + mode.name;
  }
  const std::string near = nearest(name, names);
  fail(ErrorKind::kValue, "finetune", "no mode has this name: it is ", quote(name),
       ". Hint: ", near.empty() ? "" : cat("did you mean ", near, "? "), "There are ", list, ".");
}

}  // namespace vitrail
