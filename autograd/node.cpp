#include "autograd/node.h"

namespace vitrail {

Node::~Node() {
  // Without this, the destructors of a long chain would call each other and overflow the stack. The list of what is still to be
  // freed is linked through the nodes themselves: a destructor must not need memory.
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
