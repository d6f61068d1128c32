// The names that a torch file may use: those that torch, DeiT's and timm's training scripts write.
#pragma once

#include <string>

namespace vitrail {

// Error(kData) for any other "module.name": nothing of a pickle is executed, but what it would have built is not what is read.
// For a class the message says to save model.state_dict() instead.
void check_torch_global(const std::string& file, const std::string& global);

// "torch.HalfStorage", "torch.float16" -> "F16"; "untyped" for torch.storage.UntypedStorage; "" for what holds no numbers that
// are read.
std::string torch_type(const std::string& global);

// Whether calling the name rebuilds a tensor from a storage, or wraps one that is its first argument.
bool rebuilds_tensor(const std::string& global);
bool wraps_tensor(const std::string& global);

}  // namespace vitrail
