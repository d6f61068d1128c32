#include "nn/registration.h"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "autograd/node.h"

namespace vitrail::nn {

void check_registered(const Variable& loss, Module& model) {
  std::unordered_set<const Meta*> registered;
  for (const NamedParameter& p : model.named_parameters()) registered.insert(p.parameter->meta().get());
  if (!loss.node()) return;
  std::vector<Node*> nodes = nodes_below(loss.node().get());
  std::reverse(nodes.begin(), nodes.end());  // of several, the one that was used first is named
  for (const Node* node : nodes) {
    for (const Edge& edge : node->inputs) {
      check(!edge.leaf || registered.count(edge.leaf.get()) > 0, ErrorKind::kValue, "check_registered",
            "a parameter took part in the loss that is not in the model: its shape is ", edge.shape, ", its op is ", node->name,
            ". Hint: call register_module or register_parameter for every member in the constructor of its owner.");
    }
  }
}

}  // namespace vitrail::nn
