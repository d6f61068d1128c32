"""Writes timm_vit.txt: for each configuration timm's parameters, and its logits with weights and images made by a formula.

Run with timm 1.0.31 installed (any torch):  python3 timm_vit.py > timm_vit.txt
The tests only read the table; vit_options_test.cpp makes the same weights and images.
"""
import json
import sys

import torch
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
import timm

BASE = dict(img_size=8, patch_size=4, num_classes=5, embed_dim=16, depth=1, num_heads=2, mlp_ratio=2)
OPTIONS = [
    dict(),
    dict(depth=0),
    dict(depth=2, qkv_bias=False),
    dict(proj_bias=False),
    dict(proj_bias=False, qkv_bias=False, pre_norm=True),
    dict(pre_norm=True),
    dict(qk_norm=True),
    dict(init_values=0.5),
    dict(init_values=0.0),
    dict(class_token=False, global_pool="avg"),
    dict(global_pool="avg", fc_norm=False),
    dict(global_pool="token", fc_norm=True),
    dict(global_pool="max", reg_tokens=2),
    dict(global_pool="avgmax", reg_tokens=1, pool_include_prefix=True),
    dict(no_embed_class=True, reg_tokens=2),
    dict(pos_embed="none", reg_tokens=1),
    dict(pos_embed="", class_token=False, global_pool="avg"),
    dict(final_norm=False),
    dict(final_norm=False, fc_norm=True, global_pool="avg"),
    dict(num_classes=0),
    dict(act_layer="gelu_tanh"),
    dict(act_layer="quick_gelu"),
    dict(act_layer="relu"),
    dict(act_layer="silu"),
    dict(mlp_ratio=2.3),
    dict(img_size=[8, 16], patch_size=[4, 2]),
    dict(global_pool="map", class_token=False),
    dict(global_pool="map", class_token=False, reg_tokens=2),
    dict(global_pool="map", reg_tokens=1),
    dict(global_pool="map", class_token=False, reg_tokens=2, pool_include_prefix=True),
    dict(dist_token=True, dist_head=True),
    dict(dynamic_img_size=True),
    dict(dynamic_img_size=True, no_embed_class=True, reg_tokens=1),
]


def formula(shape, k):
    n = 1
    for extent in shape:
        n *= extent
    i = torch.arange(n, dtype=torch.float64)
    return torch.sin(0.37 * i + 1.3 * k + 0.5).reshape(shape)


def main():
    print(f"# timm {timm.__version__}, by timm_vit.py")
    for options in OPTIONS:
        config = {**BASE, **options}
        arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
        distilled = arguments.pop("dist_token", False) and arguments.pop("dist_head")
        model = (VisionTransformerDistilled if distilled else VisionTransformer)(**arguments).eval()
        parameters = dict(sorted(model.named_parameters()))
        with torch.no_grad():
            for k, (name, parameter) in enumerate(parameters.items()):
                parameter.copy_(0.2 * formula(parameter.shape, k) + (1 if "norm" in name and name.endswith("weight") else 0))
        size = config["img_size"] if isinstance(config["img_size"], list) else [config["img_size"]] * 2
        if config.get("dynamic_img_size"):
            size = [12, 16]
        with torch.no_grad():
            logits = model.double()(formula([2, 3] + size, 100))
        print("config", json.dumps(config))
        print("parameters", " ".join(f"{n}:{'x'.join(map(str, p.shape))}" for n, p in parameters.items()))
        print("images", *([2, 3] + size))
        print("logits", " ".join(f"{v:.9g}" for v in logits.flatten().tolist()))


if __name__ == "__main__":
    sys.exit(main())
