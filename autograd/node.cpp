#include "autograd/node.h"

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

}  // namespace vitrail
