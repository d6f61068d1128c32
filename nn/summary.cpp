#include "nn/summary.h"

#include <algorithm>
#include <iomanip>
#include <map>
#include <sstream>

namespace vitrail::nn {
namespace {

bool inside(const std::string& name, const std::string& of) {
  return of.empty() || name == of || (name.size() > of.size() && name.compare(0, of.size(), of) == 0 && name[of.size()] == '.');
}

std::string grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (int i = static_cast<int>(digits.size()) - 3; i > 0; i -= 3) digits.insert(static_cast<size_t>(i), 1, ',');
  return digits;
}

}  // namespace

Summary summarize(Layer& model, const Shape& input) {
  Summary summary;
  std::vector<std::pair<std::string, int64_t>> own_macs;
  {
    const EvalGuard evaluation(model);
    const NoGradGuard no_grad;
    const ObserverGuard watch(model, [&](const Observation& o) {
      own_macs.emplace_back(o.path, o.layer.macs(o.input.shape(), o.output.shape()));
      summary.rows.push_back({o.path, o.output.shape(), o.layer.num_parameters(), 0});
    });
    const auto parameters = model.named_parameters();
    model(zeros(input, parameters.empty() ? Dtype::f32 : parameters.front().parameter->dtype()));
  }
  for (SummaryRow& row : summary.rows) {
    for (const auto& [name, macs] : own_macs) row.macs += inside(name, row.name) ? macs : 0;
  }
  std::map<std::string, size_t> order;  // the order of registration: parents before children
  for (const auto& entry : model.named_modules()) order.emplace(entry.first, order.size());
  std::stable_sort(summary.rows.begin(), summary.rows.end(),
                   [&](const auto& a, const auto& b) { return order[a.name] < order[b.name]; });
  summary.parameters = model.num_parameters();
  for (const NamedParameter& p : model.named_parameters())
    summary.trainable += p.parameter->requires_grad() ? p.parameter->numel() : 0;
  for (const auto& entry : own_macs) summary.macs += entry.second;
  return summary;
}

std::string to_string(const Summary& summary, int depth) {
  std::ostringstream out;
  out << std::left << std::setw(28) << "layer" << std::setw(22) << "output" << std::right << std::setw(14) << "parameters"
      << std::setw(18) << "multiply-adds" << '\n';
  for (const SummaryRow& row : summary.rows) {
    if (std::count(row.name.begin(), row.name.end(), '.') >= depth || (row.parameters == 0 && row.macs == 0)) continue;
    out << std::left << std::setw(28) << (row.name.empty() ? "(model)" : row.name) << std::setw(22)
        << vitrail::to_string(row.output) << std::right << std::setw(14) << grouped(row.parameters) << std::setw(18)
        << grouped(row.macs) << '\n';
  }
  out << "parameters " << grouped(summary.parameters) << " (trainable " << grouped(summary.trainable) << "), multiply-adds "
      << grouped(summary.macs) << ", FLOPs " << grouped(2 * summary.macs) << '\n';
  return out.str();
}

}  // namespace vitrail::nn
