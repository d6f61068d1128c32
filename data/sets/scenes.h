// scenes: an endless set of colour pictures of shapes, that needs no files. Every picture comes with what is in it: class,
// boxes, masks and a caption. Sample i is a pure function of (seed, split, i).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace vitrail {

class Rng;

// The shapes are the classes: circle, square, triangle, star, ring, cross, diamond, heart.
const std::vector<std::string>& scene_shapes();
// red, orange, yellow, green, blue, purple, white, black.
const std::vector<std::string>& scene_colors();

struct SceneObject {
  int64_t shape = 0;  // index into scene_shapes()
  int64_t color = 0;  // index into scene_colors()
  // In pixels: the smallest box that holds every pixel of the mask; x1 and y1 are one past the last pixel.
  int64_t x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

struct SceneSample {
  Tensor image;                      // u8 [3, S, S]
  int64_t label;                     // the shape of objects[0], the largest object
  std::vector<SceneObject> objects;  // one to three; no two overlap
  Tensor mask;                       // u8 [S, S]: 0 background, k + 1 where objects[k] covers at least half of the pixel
  // "a red circle", "a red circle above a blue square", "a red circle above a blue square and left of a white star":
  // relations of objects[0] to the others, from the centres of their boxes, along the axis on which these differ more.
  std::string caption;
};

class SceneDataset : public Dataset {
 public:
  // The first `size` samples of the stream (seed, train or test). image_size in [32, 224], size >= 1, else Error(kValue).
  // Labels come in shuffled blocks with one of each shape.
  SceneDataset(uint64_t seed, bool train, int64_t size, int64_t image_size = 64);

  int64_t size() const override { return size_; }
  Sample sample(int64_t index) const override;
  int64_t label(int64_t index) const override;
  // All there is to know of a sample; sample() is its image and label.
  SceneSample scene(int64_t index) const;

 private:
  uint64_t seed_;
  bool train_;
  int64_t size_;
};

// One scene with the randomness of `rng`, whose main object has shape `label`.
SceneSample draw_scene(int64_t label, int64_t image_size, const Rng& rng);

}  // namespace vitrail
