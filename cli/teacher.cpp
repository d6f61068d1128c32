#include "cli/teacher.h"

#include <chrono>
#include <cinttypes>
#include <cstdio>

#include "base/crc32c.h"
#include "base/text.h"
#include "models/weights/adapter.h"
#include "tensor/tensor.h"
#include "train/ranks/model_of_rank_0.h"
#include "train/task/classification.h"

namespace vitrail::cli {

const char* const kTeacherHelp = "A trained model to learn from beside the labels: with --distillation soft or hard";

std::shared_ptr<const OpenedTeacher> open_teacher(Communicator& comm, const std::string& path) {
  auto opened = std::make_shared<OpenedTeacher>();
  opened->file = path;
  // The task owns its model; what is kept of it keeps the task.
  std::shared_ptr<Task> task = make_task(read_on_rank_0(comm, path), &opened->card, &opened->origin);
  auto* classification = dynamic_cast<ClassificationTask*>(task.get());
  check(classification != nullptr, ErrorKind::kValue, "teacher", escaped_path(path), " names no classes: its task is ",
        escaped(task->name()), ".");
  opened->model = std::shared_ptr<models::Classifier>(task, &classification->model());
  opened->card.training = "{}";      // how it came about changes no answer
  opened->card.calibration.reset();  // nor does this: a student learns from the logits
  const std::string described = card_json(task->architecture(), opened->card);
  char crc[9];
  std::snprintf(crc, sizeof crc, "%08" PRIx32, crc32c({reinterpret_cast<const uint8_t*>(described.data()), described.size()}));
  opened->hash = weights_hash(opened->model->state_dict(), [](const std::string&) { return false; }) + crc;
  return opened;
}

std::shared_ptr<Teacher> teacher_for(const OpenedTeacher& opened, const Preprocessing& student,
                                     const std::vector<std::string>& class_names) {
  return std::make_shared<Teacher>(opened.model, opened.card, student, class_names, opened.file);
}

std::string teacher_cost(const OpenedTeacher& opened, const Preprocessing& student, const std::vector<std::string>& class_names,
                         int64_t batch_size) {
  Teacher teacher(opened.model, opened.card, student, class_names, opened.file);
  const auto parameters = static_cast<double>(opened.model->num_parameters());
  const Tensor images = zeros({batch_size, student.channels, student.height, student.width});
  double seconds = 0;
  for (int i = 0; i < 2; ++i) {  // the first pass packs the weights
    const auto start = std::chrono::steady_clock::now();
    teacher.logits(images);
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  char text[128];
  std::snprintf(text, sizeof text, "%.2f M parameters (%.1f MB), %.2f s for the %lld images of an update", parameters / 1e6,
                4e-6 * parameters, seconds, static_cast<long long>(batch_size));
  const std::string note = teacher.note();
  return cat(text, note.empty() ? "" : "; ", note);
}

}  // namespace vitrail::cli
