// The teacher of a run (--teacher): a model of anyone, told apart by a hash of everything that its answers depend on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "models/weights/foreign.h"
#include "train/task/distillation.h"

namespace vitrail::cli {

// "--teacher": what help says of it.
extern const char* const kTeacherHelp;

struct OpenedTeacher {
  std::shared_ptr<models::Classifier> model;
  ModelCard card;
  std::string file;  // as it was given
  std::string hash;  // 16 hexadecimal digits of the weights, 8 of architecture, preprocessing and class names
  std::shared_ptr<Origin> origin;
};

// Rank 0 reads the file. Errors of load_task(): a model without a head, or with one of zeros, has no answers.
std::shared_ptr<const OpenedTeacher> open_teacher(Communicator& comm, const std::string& path);

// For a student whose pictures come so. Errors of Teacher.
std::shared_ptr<Teacher> teacher_for(const OpenedTeacher& opened, const Preprocessing& student,
                                     const std::vector<std::string>& class_names);

// "5.72 M parameters (22.9 MB), 0.31 s for the 64 images of an update; it sees ...": measured on zeros.
std::string teacher_cost(const OpenedTeacher& opened, const Preprocessing& student, const std::vector<std::string>& class_names,
                         int64_t batch_size);

}  // namespace vitrail::cli
