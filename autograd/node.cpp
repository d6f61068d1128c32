#include "autograd/node.h"

#include <algorithm>
#include <unordered_set>

namespace vitrail {

Node::~Node() {
  // Destroys nodes in a loop: for a long chain, recursive destructors would overflow the stack. The list of nodes that are
  // still to be freed is linked through the nodes themselves, because a destructor must not allocate.
  std::shared_ptr<Node> pending;
  const auto release_inputs = [&](Node& node) {
    for (Edge& edge : node.inputs) {
      if (!edge.node) continue;
      if (edge.node.use_count() == 1) {
        edge.node->next_to_free_ = std::move(pending);
        pending = std::move(edge.node);
      } else {
        edge.node.reset();
      }
    }
  };
  release_inputs(*this);
  while (pending) {
    const std::shared_ptr<Node> node = std::move(pending);
    pending = std::move(node->next_to_free_);
    release_inputs(*node);
  }
}

// An op's id is above its inputs' ids, so that falling ids are a topological order.
std::vector<Node*> nodes_below(Node* root) {
  // LAB 3.2 BEGIN  root and every node that its edges lead to, each once, each before its inputs' nodes; no recursion.
  std::vector<Node*> found{root};
  std::unordered_set<Node*> seen{root};
  for (size_t i = 0; i < found.size(); ++i) {
    for (const Edge& edge : found[i]->inputs) {
      if (edge.node && seen.insert(edge.node.get()).second) found.push_back(edge.node.get());
    }
  }
  std::sort(found.begin(), found.end(), [](const Node* a, const Node* b) { return a->id > b->id; });
  return found;
  // LAB 3.2 END
}

}  // namespace vitrail
