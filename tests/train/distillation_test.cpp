// Learning from a teacher: values and gradients of the loss, which head learns what, what the teacher sees, what is refused.
#include "train/task/distillation.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "data/loader.h"
#include "models/vit.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/model_test.h"
#include "train/task/classification.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

constexpr DistillationKind kBoth[] = {DistillationKind::kSoft, DistillationKind::kHard};

std::shared_ptr<models::Classifier> shared_vit(const DatasetPtr& data, uint64_t seed) { return tiny_vit(data->info(), seed); }

ModelCard card_of(models::Classifier& model, const DatasetPtr& data) {
  return {preprocessing_for(model, data->info()), data->class_names()};
}

std::shared_ptr<Teacher> teacher_of(const std::shared_ptr<models::Classifier>& model, const DatasetPtr& data) {
  const ModelCard card = card_of(*model, data);
  return std::make_shared<Teacher>(model, card, card.preprocessing, data->class_names(), "teacher");
}

models::ViTConfig distilled_config(const DatasetPtr& data, bool two_heads) {
  models::ViTConfig c;
  c.img_size = 28, c.patch_size = 7, c.in_chans = 1, c.num_classes = data->num_classes();
  c.embed_dim = 32, c.depth = 2, c.num_heads = 2, c.mlp_ratio = 2;
  c.dist_token = c.dist_head = two_heads;
  return c;
}

TrainConfig distilling(const char* kind, double alpha = 0.5) {
  TrainConfig c = quick(3, 10);
  c.distillation = kind, c.distillation_alpha = alpha;
  return c;
}

ClassificationTask task_for(models::Classifier& model, const DatasetPtr& data, const TrainConfig& config,
                            std::shared_ptr<Teacher> teacher) {
  ClassificationOptions options = classification_options(config, preprocessing_for(model, data->info()), data->class_names());
  options.teacher = std::move(teacher);
  return ClassificationTask(model, std::move(options));
}

Batch first_batch(const Task& task, const DatasetPtr& data) {
  return make_loader(task, data, {.batch_size = data->size(), .train = false}).batch(0, 0);
}

double largest_gradient(models::Classifier& model, const std::string& path) {
  for (const nn::NamedParameter& p : model.named_parameters())
    if (p.name == path) return p.parameter->grad().defined() ? max(abs(p.parameter->grad())).item() : 0;
  return -1;
}

}  // namespace

TEST_CASE("distillation: the gradients of both losses are those of central differences in f64") {
  const Tensor teacher = rand_normal({4, 5}, 0, 2, Rng(1), Dtype::f64);
  const Tensor labels = from_vector(std::vector<int64_t>{0, 4, 2, 2}, {4});
  const Tensor weights = from_vector(std::vector<double>{0.5, 2, 1, 0}, {4});
  for (const DistillationKind kind : kBoth) {
    for (const bool weighted : {false, true}) {
      const DistillationOptions options{kind, 0.3, 2.5};
      // Two heads: the label's loss of the first, the teacher's of the second. Once they are one.
      const auto loss = [&](const std::vector<Variable>& heads) {
        return distilled_loss(cross_entropy(heads[0], labels),
                              imitation_loss(heads[1], teacher, options, weighted ? weights : Tensor()), options);
      };
      const Variable first(rand_normal({4, 5}, 0, 1, Rng(2), Dtype::f64), true);
      const Variable second(rand_normal({4, 5}, 0, 1, Rng(3), Dtype::f64), true);
      const GradcheckResult apart = gradcheck(loss, {first, second}), together = gradcheck(loss, {first, first});
      CHECK_MESSAGE(apart.ok, apart.message);
      CHECK_MESSAGE(together.ok, together.message);
    }
  }
}

TEST_CASE("distillation: soft is T^2 KL(teacher / T || student / T), hard the cross-entropy of the teacher's answer") {
  const Tensor student = from_vector(std::vector<double>{1, -1, 0.5, 2, 0, -3}, {2, 3});
  const Tensor teacher = from_vector(std::vector<double>{0, 3, 1, -1, 2, 2}, {2, 3});
  const auto probability = [](const Tensor& logits, int64_t row, int64_t c, double t) {
    double total = 0;
    for (int64_t k = 0; k < 3; ++k) total += std::exp(logits.at({row, k}) / t);
    return std::exp(logits.at({row, c}) / t) / total;
  };
  const double t = 3;
  double soft = 0, hard = 0;
  const int64_t answers[] = {1, 1};  // of equal logits the first
  for (int64_t row = 0; row < 2; ++row) {
    for (int64_t c = 0; c < 3; ++c) {
      const double p = probability(teacher, row, c, t);
      soft += t * t * p * std::log(p / probability(student, row, c, t)) / 2;
    }
    hard -= std::log(probability(student, row, answers[row], 1)) / 2;
  }
  const Variable logits(student);
  CHECK(imitation_loss(logits, teacher, {DistillationKind::kSoft, 0.5, t}).item() == doctest::Approx(soft).epsilon(1e-12));
  CHECK(imitation_loss(logits, teacher, {DistillationKind::kHard, 0.5, t}).item() == doctest::Approx(hard).epsilon(1e-12));
  CHECK(imitation_loss(Variable(teacher), teacher, {DistillationKind::kSoft, 0.5, t}).item() == doctest::Approx(0));
  const Variable a(scalar(2.0, Dtype::f64)), b(scalar(8.0, Dtype::f64));
  CHECK(distilled_loss(a, b, {DistillationKind::kHard, 0.5, 1}).item() == 5);
  CHECK(distilled_loss(a, b, {DistillationKind::kSoft, 0.25, 1}).item() == 3.5);
}

TEST_CASE("distillation: with two heads the token's learns from the teacher alone, and the class token's from the labels") {
  const DatasetPtr data = glyphs(20);
  const auto teacher = shared_vit(data, 5);
  for (const char* kind : {"soft", "hard"}) {
    for (const double alpha : {0.0, 1.0}) {
      Rng rng(1);
      models::ViT student(distilled_config(data, true), rng);
      ClassificationTask task = task_for(student, data, distilling(kind, alpha), teacher_of(teacher, data));
      task.loss(first_batch(task, data)).total.backward();
      CHECK((largest_gradient(student, "head.weight") > 0) == (alpha == 0));
      CHECK((largest_gradient(student, "head_dist.weight") > 0) == (alpha == 1));
    }
    Rng rng(1);
    models::ViT student(distilled_config(data, false), rng);
    ClassificationTask task = task_for(student, data, distilling(kind, 1), teacher_of(teacher, data));
    task.loss(first_batch(task, data)).total.backward();
    CHECK(largest_gradient(student, "head.weight") > 0);
  }
}

TEST_CASE("distillation: the two heads' logits are those whose mean evaluation takes") {
  const DatasetPtr data = glyphs(4);
  Rng rng(1);
  models::ViT model(distilled_config(data, true), rng);
  const Variable images(rand_normal({2, 1, 28, 28}, 0, 1, Rng(2)));
  const models::HeadLogits heads = model.head_logits(images);
  CHECK(bit_equal(model(images).value(), ((heads.label + heads.teacher) * 0.5).value()));
  CHECK(!tiny_vit(data->info())->head_logits(images).teacher.defined());
}

TEST_CASE("distillation: a run moves no bit of the teacher, learns its answers, and goes on where it was stopped") {
  const DatasetPtr data = glyphs(40);
  const auto model = shared_vit(data, 5);
  train_model(*model, data, nullptr, preprocessing_for(*model, data->info()), quick(8, 10), {.quiet = true});
  nn::StateDict before = model->state_dict();
  for (auto& entry : before) entry.second = clone(entry.second);
  for (const bool two_heads : {false, true}) {
    TrainConfig config = distilling("hard");
    config.mixup = 0.8, config.crop_padding = 2, config.class_weights = "balanced", config.groups = 2, config.ema_decay = 0.5;
    const auto run = [&](const RunState* from, int64_t steps) {
      Rng rng(from ? 77 : 1);
      models::ViT student(distilled_config(data, two_heads), rng);
      ClassificationTask task = task_for(student, data, config, teacher_of(model, data));
      CHECK(!task.guess_loss());
      Trainer trainer(task, data, data, config, {.quiet = true});
      if (from) trainer.restore(*from);
      for (int64_t i = 0; i < steps && trainer.step(); ++i) {
      }
      return trainer.state();
    };
    const RunState half = run(nullptr, 5), whole = run(nullptr, 100), resumed = run(&half, 100);
    CHECK(differences(whole, resumed) == std::vector<std::string>{});
    CHECK(whole.step == 12);
    const nn::StateDict after = model->state_dict();
    for (size_t i = 0; i < before.size(); ++i) CHECK(bit_equal(before[i].second, after[i].second));
    for (const nn::NamedParameter& p : model->named_parameters()) CHECK(!p.parameter->grad().defined());
  }
}

TEST_CASE("distillation: a student that hears the teacher alone comes to give its answers") {
  const DatasetPtr data = glyphs(60);
  const auto model = shared_vit(data, 5);          // untrained: its answers have nothing to do with the labels
  mul_(model->last_linear()->weight.value(), 30);  // nor are they close to one another
  TrainConfig config = quick(100, 20);
  config.distillation = "soft", config.distillation_alpha = 1, config.lr = 3e-3;
  const auto student = tiny_vit(data->info(), 1);
  ClassificationTask task = task_for(*student, data, config, teacher_of(model, data));
  const Scores parts = task.loss(first_batch(task, data)).parts;
  CHECK(parts.at(1).name == "agreement");
  Trainer trainer(task, data, nullptr, config, {.quiet = true});
  trainer.run();
  CHECK(score(task.loss(first_batch(task, data)).parts, "agreement") > 0.9);
  CHECK(score(task.loss(first_batch(task, data)).parts, "top1") < 0.5);
}

TEST_CASE("distillation: classes are found by name, and what the teacher does not know is refused") {
  const DatasetPtr data = glyphs(4);
  const auto model = shared_vit(data, 5);
  const ModelCard card = card_of(*model, data);
  const Tensor images = rand_normal({2, 1, 28, 28}, 0, 1, Rng(2));
  Teacher all(model, card, card.preprocessing, card.class_names, "t");
  Teacher some(model, card, card.preprocessing, {"X", "3", "A"}, "t");
  const auto at = [&](const char* name) {
    return std::find(card.class_names.begin(), card.class_names.end(), name) - card.class_names.begin();
  };
  const Tensor whole = all.logits(images), chosen = some.logits(images);
  CHECK(chosen.shape() == Shape{2, 3});
  CHECK(chosen.at({1, 0}) == whole.at({1, at("X")}));
  CHECK(chosen.at({1, 1}) == whole.at({1, at("3")}));
  CHECK(chosen.at({0, 2}) == whole.at({0, at("A")}));
  const auto refused = [&](const std::vector<std::string>& names, const ModelCard& of) {
    return message_of([&] { Teacher(model, of, card.preprocessing, names, "teachers/x"); });
  };
  const std::string unknown = refused({"3", "shoe", "boot"}, card);
  CHECK_MESSAGE(
      unknown.find("2 of 3 classes are not among those of teachers/x: shoe, boot; it knows 0, 1,") != std::string::npos,
      unknown);
  ModelCard twice = card;
  twice.class_names[1] = twice.class_names[0];
  CHECK(refused({"0"}, twice).find("has classes of one name") != std::string::npos);
}

TEST_CASE("distillation: the teacher sees the student's picture at its own size, channels and scale") {
  const DatasetPtr data = glyphs(4);
  models::ViTConfig c = distilled_config(data, false);
  c.img_size = 56, c.in_chans = 3;
  Rng rng(3);
  const auto model = std::make_shared<models::ViT>(c, rng);
  ModelCard card{{.height = 56, .width = 56, .channels = 3, .mean = {0.4, 0.5, 0.6}, .std = {0.2, 0.3, 0.25}},
                 data->class_names()};
  const Preprocessing student = preprocessing_for(data->info());
  Teacher teacher(model, card, student, data->class_names(), "t");
  CHECK(teacher.note() == "it sees the pictures of 28 x 28 resized to 56 x 56");
  const Tensor picture = data->sample(1).image;
  model->eval();
  const Tensor direct = (*model)(Variable(unsqueeze(preprocess(picture, card.preprocessing), 0))).value();
  const Tensor through = teacher.logits(unsqueeze(preprocess(picture, student), 0));
  // Apart from the rounding of the resized picture to bytes.
  CHECK(max(abs(direct - through)).item() < 0.02 * max(abs(direct)).item());
  // Colour to grey and back: the same numbers as those of the pictures' own conversion, but for its rounding.
  const auto grey = shared_vit(data, 4);
  const ModelCard grey_card = card_of(*grey, data);
  const Preprocessing colour{.height = 28, .width = 28, .channels = 3, .mean = {0.4, 0.5, 0.6}, .std = {0.2, 0.3, 0.25}};
  Teacher sees_grey(grey, grey_card, colour, data->class_names(), "t");
  CHECK(sees_grey.note().empty());
  const Tensor coloured = to(rand_uniform({3, 28, 28}, 0, 255, Rng(8)), Dtype::u8);
  grey->eval();
  const Tensor wanted = (*grey)(Variable(unsqueeze(preprocess(coloured, grey_card.preprocessing), 0))).value();
  CHECK(max(abs(sees_grey.logits(unsqueeze(preprocess(coloured, colour), 0)) - wanted)).item() <
        0.02 * max(abs(wanted)).item());
}

TEST_CASE("distillation: without a teacher it is refused, as is a temperature of 0") {
  const DatasetPtr data = glyphs(4);
  const auto model = tiny_vit(data->info());
  CHECK(message_of([&] { task_for(*model, data, distilling("soft"), nullptr); }).find("there is no teacher") !=
        std::string::npos);
  CHECK(message_of([&] {
          task_for(*model, data, quick(1, 2), teacher_of(shared_vit(data, 1), data));
        }).find("there is a teacher") != std::string::npos);
  TrainConfig config = distilling("medium");
  CHECK(message_of([&] { validate(config); }).find("distillation must be none or soft or hard: it is \"medium\"") !=
        std::string::npos);
  config.distillation = "soft", config.distillation_temperature = 0;
  CHECK(message_of([&] { validate(config); }).find("distillation_temperature must be in (0, 1000]: it is 0") !=
        std::string::npos);
}
