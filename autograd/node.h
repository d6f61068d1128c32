// The graph that the engine walks: nodes (ops) and edges to where their inputs came from. Ops are added by record().
#pragma once

#include <memory>
#include <vector>

#include "autograd/record.h"

namespace vitrail {

// Where the gradient of an input goes: to the op that computed it, or to the leaf that it is. Both null: it needs none.
// An edge does not hold the input's value; only what the backward function captured stays alive.
struct Edge {
  std::shared_ptr<Node> node;
  std::shared_ptr<Meta> leaf;
  Shape shape;  // of the input, and so of its gradient
  Dtype dtype = Dtype::f32;
  bool defined = false;  // false for an optional input that was left out
  bool needed() const { return node || leaf; }
};

// One op in the graph.
struct Node {
  const char* name = "";
  uint64_t id = 0;  // counts up: an op's id is above its inputs' ids
  std::vector<Edge> inputs;
  Shape shape;          // of the output
  BackwardFn backward;  // empty once it has run without retain_graph
  bool released = false;
  // Leaves that get gradients while `backward` runs, although they are no inputs: the parameters inside a checkpoint.
  std::vector<std::weak_ptr<Meta>> inner_leaves;

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();  // iterative and without allocating: a chain of a million nodes is destroyed under a small stack

 private:
  std::shared_ptr<Node> next_to_free_;  // links the nodes that a destructor still has to free
};

}  // namespace vitrail
