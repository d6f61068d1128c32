#include "autograd/graph_picture.h"

#include <algorithm>
#include <sstream>
#include <unordered_map>

#include "autograd/node.h"
#include "base/svg.h"

namespace vitrail {
namespace {

enum class Kind { kOp, kLeaf, kConstant };

// One box of the picture. The boxes of its inputs have smaller numbers.
struct Box {
  Kind kind;
  std::string name;
  Shape shape;
  std::vector<size_t> inputs;
};

// The ops below root, inputs first.
std::vector<Node*> nodes_in_order(const Variable& root) {
  if (!root.node()) return {};
  std::vector<Node*> nodes = nodes_below(root.node().get());
  std::reverse(nodes.begin(), nodes.end());
  return nodes;
}

std::vector<Box> boxes_of(const Variable& root, const LeafNames& names) {
  std::unordered_map<const Meta*, std::string> name_of_leaf;
  for (const auto& [name, leaf] : names) name_of_leaf.try_emplace(leaf.meta().get(), name);
  const auto leaf_name = [&](const Meta* leaf) {
    const auto at = name_of_leaf.find(leaf);
    return at == name_of_leaf.end() ? std::string("leaf") : at->second;
  };
  std::vector<Box> boxes;
  std::unordered_map<const void*, size_t> place;
  for (const Node* node : nodes_in_order(root)) {
    Box op{Kind::kOp, node->name, node->shape, {}};
    for (const Edge& edge : node->inputs) {
      if (!edge.defined) continue;
      const void* key = edge.node ? static_cast<const void*>(edge.node.get()) : edge.leaf.get();
      if (key == nullptr || place.count(key) == 0) {  // a leaf seen for the first time, or a constant
        if (key) place[key] = boxes.size();
        op.inputs.push_back(boxes.size());
        boxes.push_back(
            {key ? Kind::kLeaf : Kind::kConstant, key ? leaf_name(edge.leaf.get()) : "constant", edge.shape, {}});
      } else {
        op.inputs.push_back(place[key]);
      }
    }
    place[node] = boxes.size();
    boxes.push_back(std::move(op));
  }
  if (boxes.empty() && root.defined())
    boxes.push_back({root.requires_grad() ? Kind::kLeaf : Kind::kConstant,
                     root.requires_grad() ? leaf_name(root.meta().get()) : "constant", root.shape(), {}});
  return boxes;
}

std::string escape_dot(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 32 ? ' ' : c;
  }
  return out;
}

// ---- SVG: boxes in rows, inputs above the ops that use them ----

constexpr double kHeight = 40, kRow = 84, kGap = 18, kMargin = 24, kLetter = 7.2;

struct Placed {
  int row = 0;
  double x = 0, width = 0;  // x of the centre
};

// Puts a box one row below its lowest input; a box without inputs goes one row above the first op that uses it.
void assign_rows(const std::vector<Box>& boxes, std::vector<Placed>& placed) {
  constexpr int kUnset = -1;
  std::vector<int> first_use(boxes.size(), kUnset);
  for (size_t i = 0; i < boxes.size(); ++i) {
    for (size_t input : boxes[i].inputs) placed[i].row = std::max(placed[i].row, placed[input].row + 1);
    if (boxes[i].kind != Kind::kOp) continue;
    for (size_t input : boxes[i].inputs) {
      if (first_use[input] == kUnset || placed[i].row < first_use[input]) first_use[input] = placed[i].row;
    }
  }
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (boxes[i].kind != Kind::kOp && first_use[i] != kUnset) placed[i].row = first_use[i] - 1;
  }
}

// Places each box at the mean position of its neighbours in the rows already placed, then moves the boxes of the row apart.
void place_row(const std::vector<size_t>& row, const std::vector<std::vector<size_t>>& neighbours, std::vector<Placed>& placed) {
  std::vector<std::pair<double, size_t>> wanted;
  for (size_t box : row) {
    double sum = 0;
    for (size_t other : neighbours[box]) sum += placed[other].x;
    wanted.emplace_back(neighbours[box].empty() ? placed[box].x : sum / static_cast<double>(neighbours[box].size()), box);
  }
  std::stable_sort(wanted.begin(), wanted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  double total = 0, centre = 0;
  for (const auto& [x, box] : wanted) total += placed[box].width + kGap, centre += x / static_cast<double>(wanted.size());
  double left = centre - total / 2;
  for (const auto& [x, box] : wanted) {
    placed[box].x = left + (placed[box].width + kGap) / 2;
    left += placed[box].width + kGap;
  }
}

std::vector<Placed> layout(const std::vector<Box>& boxes) {
  std::vector<Placed> placed(boxes.size());
  assign_rows(boxes, placed);
  std::vector<std::vector<size_t>> rows, above(boxes.size()), below(boxes.size());
  for (size_t i = 0; i < boxes.size(); ++i) {
    const size_t letters = std::max(boxes[i].name.size(), to_string(boxes[i].shape).size());
    placed[i].width = 24 + kLetter * static_cast<double>(letters);
    rows.resize(std::max(rows.size(), static_cast<size_t>(placed[i].row) + 1));
    rows[placed[i].row].push_back(i);
    for (size_t input : boxes[i].inputs) above[i].push_back(input), below[input].push_back(i);
  }
  // First from the result upwards, so that inputs are placed near the ops that use them, then once down and once up again.
  for (int sweep = 0; sweep < 3; ++sweep) {
    const bool up = sweep % 2 == 0;
    for (size_t r = 0; r < rows.size(); ++r) place_row(rows[up ? rows.size() - 1 - r : r], up ? below : above, placed);
  }
  return placed;
}

void draw_box(Svg& svg, const Box& box, const Placed& at, double x, double y) {
  if (box.kind == Kind::kOp) {
    svg.rect(x - at.width / 2, y, at.width, kHeight, "rx=\"4\" class=\"op\"");
  } else {
    svg.ellipse(x, y + kHeight / 2, at.width / 2, kHeight / 2, box.kind == Kind::kLeaf ? "class=\"leaf\"" : "class=\"constant\"");
  }
  svg.text(x, y + 17, box.name);
  svg.text(x, y + 32, to_string(box.shape), "class=\"soft\"");
}

}  // namespace

std::string to_dot(const Variable& root, const LeafNames& names) {
  std::ostringstream out;
  out << "digraph autograd {\n  rankdir=BT;\n  node [fontname=\"sans-serif\"];\n";
  const std::vector<Box> boxes = boxes_of(root, names);
  const char* forms[] = {"shape=box", "shape=ellipse", "shape=ellipse, style=dashed"};
  for (size_t i = 0; i < boxes.size(); ++i) {
    const Box& box = boxes[i];
    out << "  n" << i << " [" << forms[static_cast<int>(box.kind)] << ", label=\"" << escape_dot(box.name) << "\\n"
        << box.shape << "\"];\n";
    for (size_t input : box.inputs) out << "  n" << input << " -> n" << i << ";\n";
  }
  out << "}\n";
  return out.str();
}

std::string to_svg(const Variable& root, const LeafNames& names) {
  const std::vector<Box> boxes = boxes_of(root, names);
  const std::vector<Placed> placed = layout(boxes);
  double left = 0, right = 0;
  int last_row = 0;
  for (const Placed& p : placed) {
    left = std::min(left, p.x - p.width / 2);
    right = std::max(right, p.x + p.width / 2);
    last_row = std::max(last_row, p.row);
  }
  Svg svg(right - left + 2 * kMargin, last_row * kRow + kHeight + 2 * kMargin,
          "text{font:12px sans-serif;fill:#1d2430;text-anchor:middle}.soft{fill:#5b6472;font-size:11px}"
          ".op{fill:#e7eff8;stroke:#3b78b5}.leaf{fill:#fdf0df;stroke:#e08a2e}"
          ".constant{fill:#f5f6f8;stroke:#8b93a0;stroke-dasharray:4 3}.edge{fill:none;stroke:#8b93a0}");
  const auto x_of = [&](size_t i) { return placed[i].x - left + kMargin; };
  const auto y_of = [&](size_t i) { return placed[i].row * kRow + kMargin; };
  for (size_t i = 0; i < boxes.size(); ++i) {
    for (size_t input : boxes[i].inputs) {
      const double from = y_of(input) + kHeight, to = y_of(i), bend = (to - from) / 2;
      svg.path(cat("M ", svg_number(x_of(input)), " ", svg_number(from), " C ", svg_number(x_of(input)), " ",
                   svg_number(from + bend), " ", svg_number(x_of(i)), " ", svg_number(to - bend), " ", svg_number(x_of(i)), " ",
                   svg_number(to)),
               "class=\"edge\"");
    }
  }
  for (size_t i = 0; i < boxes.size(); ++i) draw_box(svg, boxes[i], placed[i], x_of(i), y_of(i));
  return svg.str();
}

}  // namespace vitrail
