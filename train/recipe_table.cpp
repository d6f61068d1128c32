// The recipes as a table for people. Rows are the fields in which they differ.
#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "train/config_fields.h"
#include "train/recipes.h"

namespace vitrail {

namespace {

std::string shown(bool value) { return value ? "true" : "false"; }
std::string shown(const std::string& value) { return value; }
std::string shown(const std::vector<int64_t>& value) { return value.empty() ? "none" : cat(value.size()); }
template <class Number>
std::string shown(Number value) {
  return cat(value);
}

std::string row(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += cat(" ", cell, " |");
  return line + "\n";
}

}  // namespace

DatasetInfo example_pictures() {
  DatasetInfo info;
  info.name = "photographs";
  info.channels = 3, info.height = info.width = 32;
  info.class_names.resize(10);
  info.mirror_keeps_class = true;
  return info;
}

std::string recipe_table() {
  const DatasetInfo colour = example_pictures();
  std::vector<TrainConfig> configs;
  std::vector<std::string> head{"field"}, rule{"---"}, source{"values from"};
  for (const Recipe& recipe : recipes()) {
    configs.push_back(recipe.config({colour, 0}));
    head.push_back(cat("`", recipe.name, "`"));
    rule.emplace_back("---");
    source.push_back(recipe.source);
  }
  std::string table = row(head) + row(rule) + row(source);
  std::vector<std::vector<std::string>> rows;
  for (const TrainConfig& config : configs) {
    size_t i = 0;
    for_each_recipe_field(config, [&](const char* key, const auto& value, auto&&...) {
      if (i == rows.size()) rows.push_back({cat("`", key, "`")});
      rows[i++].push_back(shown(value));
    });
  }
  for (const std::vector<std::string>& cells : rows)
    if (!std::all_of(cells.begin() + 2, cells.end(), [&](const std::string& cell) { return cell == cells[1]; })) table += row(cells);
  return table;
}

}  // namespace vitrail
