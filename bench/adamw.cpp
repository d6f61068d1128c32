// One step of AdamW over all weights of a model.
#include "bench/timing.h"
#include "models/presets.h"
#include "train/optim/optim.h"

using namespace vitrail;

int main() {
  const bench::Table table("AdamW, f32");
  for (const char* preset :
       {"vit_cifar_d192L9h12m2", "vit_tiny_patch16_224", "vit_small_patch16_224", "vit_base_patch16_224"}) {
    Rng rng(1);
    const auto model = models::make_model(models::find_preset(preset).config, rng);
    for (auto& [path, parameter] : model->named_parameters())
      parameter->set_grad(rand_normal(parameter->shape(), 0, 1, Rng(2)));
    AdamW optimizer(make_param_groups(*model, 0.05));
    // Weights, moments and gradients are read; weights and moments are written.
    table.row(cat(preset, ", ", model->num_parameters() / 1000000.0, " M"),
              bench::median_seconds([&] { optimizer.step(1e-6); }), 0, 7 * 4 * model->num_parameters());
  }
}
