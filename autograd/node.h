// The graph that the engine walks: nodes (ops), with edges to the ops or leaves that their inputs came from. Ops are added by
// record().
#pragma once

#include <memory>
#include <vector>

#include "autograd/record.h"

namespace vitrail {

// Where the gradient of an input goes: to the op that computed it, or to the leaf itself. Both are null if it needs no
// gradient.
// An edge does not keep the input's value alive; only the backward function's captures do.
struct Edge {
  std::shared_ptr<Node> node;
  std::shared_ptr<Meta> leaf;
  Shape shape;  // of the input and of its gradient
  Dtype dtype = Dtype::f32;
  bool defined = false;  // false for an optional input that was left out
  bool needed() const { return node || leaf; }
};

// One op in the graph.
struct Node {
  const char* name = "";
  uint64_t id = 0;  // in order of creation: an op's id is above the ids of its inputs
  std::vector<Edge> inputs;
  Shape shape;          // of the output
  BackwardFn backward;  // empty once it has run without retain_graph
  bool released = false;
  // Leaves that are not inputs but get gradients while `backward` runs: the parameters inside a checkpoint.
  std::vector<std::weak_ptr<Meta>> inner_leaves;

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();  // iterative and without allocating: a small stack is enough for a chain of a million nodes

 private:
  std::shared_ptr<Node> next_to_free_;  // links the nodes that a destructor still has to free
};

// root and all nodes below it, each once, the latest first: each node stands before the nodes that its inputs came from, so
// this is an order in which they can run backward. Not recursive. root must not be null.
std::vector<Node*> nodes_below(Node* root);

}  // namespace vitrail
