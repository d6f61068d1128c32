// vitrail adapter: puts an adapter and its base together, and converts from and to PEFT's format.
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/text.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "models/weights/adapter.h"
#include "models/weights/peft.h"
#include "train/optim/layer_decay.h"
#include "train/run_folder.h"

namespace vitrail::cli {

namespace {

namespace fs = std::filesystem;

struct AdapterOptions {
  std::string base, adapter, out, peft;
  bool old_names = false, force = false;
  ModelFlags opening;
};

Adapter open_adapter(const std::string& path, const SavedModel& base) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return read_adapter(path);
  const std::string own = (fs::path(path) / kAdapterFile).string();
  return fs::exists(own, ignored) ? read_adapter(own) : read_peft(path, base);
}

int run(const AdapterOptions& o) {
  check(!o.out.empty() || !o.peft.empty(), ErrorKind::kValue, "adapter",
        "nothing is to be written. Hint: --out DIR for a model with the adapter merged, --peft DIR for PEFT's format.");
  if (!o.out.empty()) RunFolder::check_free(o.out, o.force);
  const SavedModel base = read_saved_model(o.base, open_options(o.opening));
  const Adapter adapter = open_adapter(o.adapter, base);
  const LoadedModel loaded = apply_adapter(adapter, base);
  if (!o.out.empty()) {
    save_model(o.out, *loaded.model, loaded.card);
    const std::string name = adapter.base_hash.empty() ? fs::path(o.base).filename().string() : adapter.base;
    save_adapter((fs::path(o.out) / kAdapterFile).string(), make_adapter(*loaded.model, loaded.card, is_head, name));
    std::printf("saved in %s: %s, the adapter merged, and %s\n", escaped_path(o.out).c_str(), kModelFile, kAdapterFile);
  }
  if (!o.peft.empty()) {
    write_peft(o.peft, adapter, o.old_names ? PeftNames::kTransformers4 : PeftNames::kTransformers5);
    std::printf("saved in %s for PEFT\n", escaped_path(o.peft).c_str());
  }
  return 0;
}

}  // namespace

void add_adapter(CLI::App& app, Action& action) {
  auto o = std::make_shared<AdapterOptions>();
  Command command(app, "adapter", "Put a LoRA adapter and its base together; convert from and to PEFT's format");
  command
      .option("--base", o->base,
              "The model that the adapter was trained on: whatever --model takes elsewhere")
      .required();
  command.option("--adapter", o->adapter, "adapter.safetensors, or a folder with PEFT's adapter_config.json").required();
  command.option("--out", o->out, "Folder for model.safetensors with the adapter merged, and adapter.safetensors");
  command.option("--peft", o->peft, "Folder for adapter_config.json and adapter_model.safetensors");
  add_model_flags(command, o->opening);
  command.flag("--old-names", o->old_names, "PEFT: the module names of transformers 4");
  command.flag("--force", o->force, "Replace the model that --out holds");
  command.footer("Example: vitrail adapter --base runs/photos --adapter runs/flowers/adapter.safetensors --out runs/merged");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
