// Adapters in the format of Hugging Face's PEFT: a folder with adapter_config.json and adapter_model.safetensors.
#pragma once

#include <string>

#include "models/weights/adapter.h"

namespace vitrail {

// Names of modules in Hugging Face's ViT: those that transformers 5 gives them ("vit.layers.0.attention.q_proj"), or those of
// transformers 4
// ("vit.encoder.layer.0.attention.attention.query"), under which most published adapters stand.
enum class PeftNames { kTransformers5, kTransformers4 };

// Reads such a folder for this base, which must have timm's names (Hugging Face's q, k and v in one qkv). Both spellings are
// read, below vit., deit., dinov2. or nothing, and timm's own. The head is that of modules_to_save (classifier, head) if it was
// saved, with as many classes; names that are not known are "class 0", ... PEFT records no hash: that shapes fit is all that
// can be checked. Error(kIo) if a file is missing, Error(kData) naming file and key for what cannot be represented: another
// peft_type, biases, ranks by pattern, an initialisation that changes the base (PiSSA, OLoRA, ...), an unknown module.
Adapter read_peft(const std::string& folder, const SavedModel& base);

// Writes both files; the folder is made if it is missing. An update of all of qkv becomes three that share A. Error(kValue) for
// an update or another tensor that PEFT has no place for (the patch embedding, trained norms).
void write_peft(const std::string& folder, const Adapter& adapter, PeftNames names = PeftNames::kTransformers5);

}  // namespace vitrail
