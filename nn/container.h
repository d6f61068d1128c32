// Modules that hold modules.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/layer.h"

namespace vitrail::nn {

// i, or Error(kValue) unless it is below size.
inline size_t checked_index(const char* op, size_t i, size_t size) {
  check(i < size, ErrorKind::kValue, op, "there is no entry ", i, ": it has ", size, ", counted from 0");
  return i;
}

// Layers applied one after another, named "0", "1", ... add() constructs a layer in place: seq.add<Linear>(8, 4, rng).
class Sequential : public Layer {
 public:
  template <class L, class... Args>
  L& add(Args&&... args) {
    auto layer = std::make_unique<L>(std::forward<Args>(args)...);
    L& reference = *layer;
    register_module(std::to_string(layers_.size()), reference);
    layers_.push_back(std::move(layer));
    return reference;
  }
  Variable forward(const Variable& x) override {
    Variable y = x;
    for (const auto& layer : layers_) y = (*layer)(y);
    return y;
  }
  size_t size() const { return layers_.size(); }
  // Error(kValue) for an index out of range.
  Layer& operator[](size_t i) { return *layers_[checked_index("Sequential", i, layers_.size())]; }

 private:
  std::vector<std::unique_ptr<Layer>> layers_;
};

// Modules of one type, named "0", "1", ..., for repeated blocks. The list has no forward(): its owner calls the entries.
template <class M>
class ModuleList : public Module {
 public:
  template <class... Args>
  M& add(Args&&... args) {
    modules_.push_back(std::make_unique<M>(std::forward<Args>(args)...));
    register_module(std::to_string(modules_.size() - 1), *modules_.back());
    return *modules_.back();
  }
  size_t size() const { return modules_.size(); }
  // Error(kValue) for an index out of range.
  M& operator[](size_t i) { return *modules_[checked_index("ModuleList", i, modules_.size())]; }
  auto begin() { return modules_.begin(); }
  auto end() { return modules_.end(); }

 private:
  std::vector<std::unique_ptr<M>> modules_;
};

}  // namespace vitrail::nn
