// Suite 4.1: the tree of parameters, and loading. Included by tests.cpp.
#pragma once

// ---- 4.1 ----

namespace {

struct Leaf : nn::Module {
  explicit Leaf(double first) : a(vec({first, first + 1}), true), b(vec({first + 2}), true), running(vec({first + 3})) {
    register_parameter("a", a);
    register_parameter("b", b);
    register_buffer("running", running);
  }
  Variable a, b;
  Tensor running;
};

struct Branch : nn::Module {
  explicit Branch(double first) : inner(first), v(vec({first + 5, first + 6, first + 7}), true) {
    register_module("inner", inner);
    register_parameter("v", v);
  }
  Leaf inner;
  Variable v;
};

struct Tree : nn::Module {
  Tree() : w(vec({1}), true), left(10), right(20), deep(30) {
    register_module("left", left);
    register_module("right", right);
    register_parameter("w", w);
    register_module("deep", deep);
  }
  Variable w;
  Leaf left, right;
  Branch deep;
};

struct Shared : nn::Module {  // one module under two names, and two parameters that are left out
  Shared() : leaf(40) {
    register_module("first", leaf);
    register_module("second", leaf);
    register_parameter("none", none);
    register_parameter("neither", neither);
  }
  Leaf leaf;
  Variable none, neither;
};

Names names_of(nn::Module& module) {
  Names names;
  for (const nn::NamedParameter& p : module.named_parameters()) names.push_back(p.name);
  return names;
}

nn::StateDict copied(nn::Module& module) {
  nn::StateDict state;
  for (const auto& [name, value] : module.state_dict()) state.emplace_back(name, clone(value));
  return state;
}

Names keys_of(const nn::StateDict& state) {
  Names keys;
  for (const auto& entry : state) keys.push_back(entry.first);
  return keys;
}

Tensor* find(nn::StateDict& state, const std::string& key) {
  for (auto& [name, value] : state) {
    if (name == key) return &value;
  }
  return nullptr;
}

void remove(nn::StateDict& state, const std::string& key) {
  std::erase_if(state, [&](const auto& entry) { return entry.first == key; });
}

Names sorted(Names names) {
  std::sort(names.begin(), names.end());
  return names;
}

Names mismatching(const nn::LoadReport& report) {
  Names keys;
  for (const auto& m : report.mismatching) keys.push_back(m.key);
  return sorted(keys);
}

// The report of a load that must be refused.
nn::LoadReport refused(nn::Module& module, const nn::StateDict& state, const nn::LoadOptions& options = {}) {
  try {
    module.load_state_dict(state, options);
  } catch (const nn::LoadError& e) {
    return e.report;
  }
  throw std::runtime_error("the state was accepted, although it does not fit");
}

// A state of a Tree with nine faults of three kinds: 2 missing, 3 unexpected, 4 of another shape or kind of number.
nn::StateDict faulty() {
  Tree source;
  nn::StateDict state = copied(source);
  for (auto& entry : state) entry.second = mul(entry.second, 100);
  remove(state, "left.b");
  remove(state, "deep.inner.running");
  for (const char* key : {"left.c", "head.weight", "deep.v.extra"}) state.emplace_back(key, vec({5}));
  *find(state, "w") = vec({1, 2});
  *find(state, "right.a") = reshape(*find(state, "right.a"), {2, 1});
  *find(state, "deep.v") = vec({1, 2});
  *find(state, "deep.inner.a") = from_vector(std::vector<int64_t>{1, 2}, {2});
  return state;
}

std::string text_of(const nn::LoadReport& r) {
  return cat("missing ", sorted(r.missing).size(), " unexpected ", r.unexpected.size(), " mismatching ", r.mismatching.size(),
             " loaded ", r.loaded.size());
}

std::string joined(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += name + " ";
  return text;
}

std::string values_of(nn::Module& module) {
  std::string text;
  for (const auto& entry : module.state_dict()) text += lab::digits(entry.second, 4) + " ";
  return text;
}

// The names that are reported as unexpected, of a state whose keys are renamed on their way: "old." in front is dropped.
Names unexpected_of_renamed() {
  Tree tree;
  nn::StateDict state;
  for (const auto& [name, value] : copied(tree)) state.emplace_back("old." + name, value);
  state.emplace_back("old.head.weight", vec({5}));
  nn::LoadOptions options;
  options.allow_unexpected = true;
  options.rename = [](const std::string& name) { return name.substr(4); };
  return tree.load_state_dict(state, options).unexpected;
}

}  // namespace

LAB_PROBE("4.1") {
  Tree tree;
  return joined(names_of(tree));
}
LAB_PROBE("4.1") { return joined(unexpected_of_renamed()); }
LAB_PROBE("4.1") {  // which permissions alone let faults of all kinds pass
  std::string text;
  for (int allowed = 0; allowed < 8; ++allowed) {
    Tree tree;
    try {
      tree.load_state_dict(faulty(), {.allow_missing = (allowed & 1) != 0,
                                      .allow_unexpected = (allowed & 2) != 0,
                                      .allow_mismatching = (allowed & 4) != 0});
      text += "a";
    } catch (const nn::LoadError&) {
      text += "r";
    }
  }
  return text;
}
LAB_PROBE("4.1") {
  Tree tree;
  tree.right.a = tree.left.a;
  return joined(names_of(tree)) + joined(keys_of(tree.state_dict()));
}
LAB_PROBE("4.1") {
  Shared shared;
  return joined(names_of(shared)) + cat(shared.named_modules().size());
}
LAB_PROBE("4.1") {
  Tree tree;
  try {
    return "accepted " + text_of(tree.load_state_dict(faulty()));
  } catch (const nn::LoadError& e) {
    return "refused " + text_of(e.report) + " " + values_of(tree);
  }
}
LAB_PROBE("4.1") {
  Tree tree;
  std::string text;
  for (const nn::LoadOptions& options :
       {nn::LoadOptions{.allow_missing = true, .allow_unexpected = true, .allow_mismatching = true},
        nn::LoadOptions{.allow_missing = true, .allow_unexpected = true}}) {
    try {
      text += text_of(tree.load_state_dict(faulty(), options)) + values_of(tree);
    } catch (const nn::LoadError&) {
      text += "refused ";
    }
  }
  return text;
}
LAB_PROBE("4.1") {
  Tree tree;
  tree.right.a = tree.left.a;
  nn::StateDict state = copied(tree);
  remove(state, "right.a");
  return text_of(tree.load_state_dict(state));
}
LAB_PROBE("4.1") {
  Tree tree;
  tree.right.a = tree.left.a;
  return text_of(tree.load_state_dict(copied(tree)));
}
LAB_PROBE("4.1") {
  Tree tree;
  tree.right.a = tree.left.a;
  nn::StateDict state = copied(tree);
  *find(state, "right.a") = vec({7, 8});
  try {
    return text_of(tree.load_state_dict(state)) + values_of(tree);
  } catch (const nn::LoadError& e) {
    return "refused " + text_of(e.report);
  }
}

TEST_SUITE("4.1") {
  TEST_CASE("paths and order: a module's own parameters, then its modules, as they were registered") {
    Tree tree;
    CHECK(names_of(tree) == Names{"w", "left.a", "left.b", "right.a", "right.b", "deep.v", "deep.inner.a", "deep.inner.b"});
    CHECK(tree.named_parameters()[1].parameter == &tree.left.a);
    CHECK(tree.num_parameters() == 13);
  }
  TEST_CASE("the state lists parameters, then buffers, by the same paths") {
    Tree tree;
    CHECK(keys_of(tree.state_dict()) == Names{"w", "left.a", "left.b", "right.a", "right.b", "deep.v", "deep.inner.a",
                                              "deep.inner.b", "left.running", "right.running", "deep.inner.running"});
  }
  TEST_CASE("tied weights are one parameter with two keys") {
    Tree tree;
    tree.right.a = tree.left.a;
    CHECK(names_of(tree) == Names{"w", "left.a", "left.b", "right.b", "deep.v", "deep.inner.a", "deep.inner.b"});
    CHECK(tree.num_parameters() == 11);
    CHECK(tree.state_dict().size() == 11);
  }
  TEST_CASE("a module under two names is one module, and parameters that are left out are not tied to each other") {
    Shared shared;
    CHECK(names_of(shared) == Names{"none", "neither", "first.a", "first.b"});
    CHECK(shared.named_modules().size() == 2);
  }
  TEST_CASE("what was taken from one tree goes into another, into the memory that it has") {
    Tree source, target;
    for (const auto& entry : source.state_dict()) mul_(entry.second, -3);
    const Tensor memory = target.deep.inner.a.value();
    const nn::LoadReport report = target.load_state_dict(copied(source));
    CHECK(report.complete());
    CHECK(report.loaded.size() == 11);
    CHECK(values_of(target) == values_of(source));
    CHECK(target.deep.inner.a.value().storage() == memory.storage());
  }
  TEST_CASE("all faults are listed at once") {
    Tree tree;
    const nn::LoadReport report = refused(tree, faulty());
    CHECK(sorted(report.missing) == Names{"deep.inner.running", "left.b"});
    CHECK(sorted(report.unexpected) == Names{"deep.v.extra", "head.weight", "left.c"});
    CHECK(mismatching(report) == Names{"deep.inner.a", "deep.v", "right.a", "w"});
    CHECK(sorted(report.loaded) == Names{"deep.inner.b", "left.a", "left.running", "right.b", "right.running"});
  }
  TEST_CASE("what nobody asked for is listed by the name that the state has for it") {
    CHECK(unexpected_of_renamed() == Names{"old.head.weight"});
  }
  TEST_CASE("a state that is refused changes nothing") {
    Tree tree;
    const std::string before = values_of(tree);
    refused(tree, faulty());
    CHECK(values_of(tree) == before);
  }
  TEST_CASE("each kind of fault can be allowed, and allows no other") {
    for (int allowed = 0; allowed < 8; ++allowed) {
      CAPTURE(allowed);
      Tree tree;
      const nn::LoadOptions options{
          .allow_missing = (allowed & 1) != 0, .allow_unexpected = (allowed & 2) != 0, .allow_mismatching = (allowed & 4) != 0};
      bool accepted = true;
      try {
        tree.load_state_dict(faulty(), options);
      } catch (const nn::LoadError&) {
        accepted = false;
      }
      CHECK(accepted == (allowed == 7));
      CHECK(tree.right.b.value().item() == (accepted ? 2200 : 22));
      CHECK(tree.left.b.value().item() == 12);
    }
    Tree tree;
    nn::StateDict state = copied(tree);
    remove(state, "w");
    CHECK(tree.load_state_dict(state, {.allow_missing = true}).missing == Names{"w"});
  }
  TEST_CASE("of a tied parameter one name is enough; two values for it are a fault") {
    Tree tree;
    tree.right.a = tree.left.a;
    nn::StateDict state = copied(tree);
    remove(state, "left.a");
    *find(state, "right.a") = vec({7, 8});
    CHECK(tree.load_state_dict(state).complete());
    CHECK(lab::difference(tree.left.a.value(), vec({7, 8}), 0) == "");
    nn::StateDict both = copied(tree);
    CHECK(tree.load_state_dict(both).loaded.size() == 11);  // each name that had a value
    *find(both, "right.a") = vec({7, 9});
    CHECK(mismatching(refused(tree, both)) == Names{"right.a"});
  }
}
