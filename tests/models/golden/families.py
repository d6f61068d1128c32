"""Writes tests/models/golden/families/: tiny checkpoints as other libraries store them, and what those libraries compute.

    python tests/models/golden/families.py     # torch 2.13.0, transformers 5.24.0, open_clip_torch 3.3.0, vit-pytorch 1.26.11,
                                               # torchvision 0.28.0
references.safetensors holds CASE.input and CASE.logits, or CASE.features where the model has no head, computed in f64.
tests/models/weights/library_test.cpp reads them.
"""
import json
import os
import shutil

import open_clip.model
import torch
import transformers
from safetensors.torch import save_file
from torchvision.models.vision_transformer import VisionTransformer
from vit_pytorch import SimpleViT, ViT
from vit_pytorch import simple_flash_attn_vit, simple_vit_with_register_tokens

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "families")
REFERENCES = {}


def noisy(model):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.2 * torch.randn(p.shape, generator=generator)
    return model.eval()


def images(channels, height, width):
    return torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(2))


def record(case, kind, model, x, compute):
    model.double()
    with torch.no_grad():
        REFERENCES[case + ".input"] = x
        REFERENCES[case + "." + kind] = compute(x.double()).float().contiguous()
    model.float()


def lucidrains(case, make, channels=3, **options):
    model = noisy(make(image_size=8, patch_size=4, channels=channels, num_classes=3, dim=16, depth=1, heads=2, dim_head=8, mlp_dim=24,
                       **options))
    record(case, "logits", model, images(channels, 8, 8), model)
    torch.save(model.state_dict(), os.path.join(HERE, case + ".pt"))


def clip(case, **vision):
    vision = dict(dict(image_size=8, layers=1, width=16, head_width=8, patch_size=4), **vision)
    text = dict(context_length=2, vocab_size=3, width=4, heads=1, layers=1)
    model = noisy(open_clip.model.CLIP(embed_dim=6, vision_cfg=vision, text_cfg=text))
    tower = model.visual
    projection, tower.proj = tower.proj, None  # what it reads is what `features` gives
    record(case, "features", model, images(3, 8, 8), model.encode_image)
    tower.proj = projection
    folder = os.path.join(HERE, case)
    os.makedirs(folder)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder + "/open_clip_model.safetensors")
    config = dict(model_cfg=dict(embed_dim=6, vision_cfg=vision, text_cfg=text))
    json.dump(config, open(folder + "/open_clip_config.json", "w"), indent=1)


def dinov2_at_another_size():
    model = noisy(transformers.Dinov2ForImageClassification(transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, mlp_ratio=2, image_size=20, patch_size=4, num_labels=3)))
    record("dinov2-smaller", "logits", model, images(3, 8, 12), lambda x: model(x).logits)
    folder = os.path.join(HERE, "dinov2-smaller")
    model.save_pretrained(folder)
    json.dump(dict(image_processor_type="BitImageProcessor", size=dict(shortest_edge=12), crop_size=dict(height=8, width=12)),
              open(folder + "/preprocessor_config.json", "w"), indent=1)


def torchvision_representation():
    model = noisy(VisionTransformer(image_size=8, patch_size=4, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=24, num_classes=3,
                                    representation_size=16))
    heads = model.heads
    model.heads = torch.nn.Identity()
    record("torchvision-representation", "features", model, images(3, 8, 8), model)
    model.heads = heads
    torch.save(model.state_dict(), os.path.join(HERE, "torchvision-representation.pth"))


if __name__ == "__main__":
    shutil.rmtree(HERE, ignore_errors=True)
    os.makedirs(HERE)
    torch.manual_seed(0)
    lucidrains("vit-mean", ViT, pool="mean")
    lucidrains("vit-grey", ViT, channels=1)
    lucidrains("simple", SimpleViT)
    lucidrains("simple-registers", simple_vit_with_register_tokens.SimpleViT, num_register_tokens=2)
    lucidrains("simple-flash", simple_flash_attn_vit.SimpleViT)
    clip("clip-average", pool_type="avg")
    clip("clip-last-norm", pool_type="avg", final_ln_after_pool=True)
    clip("clip-layers", norm_kwargs=dict(eps=1e-3), act_kwargs=dict(approximate="tanh"))
    clip("clip-other-attention", qk_norm=True)
    dinov2_at_another_size()
    torchvision_representation()
    save_file(REFERENCES, os.path.join(HERE, "references.safetensors"))
