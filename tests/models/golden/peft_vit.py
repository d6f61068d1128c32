"""Writes tests/models/golden/peft/: a tiny ViT with adapters that PEFT wrote, and its logits.

    python tests/models/golden/peft_vit.py          # peft 0.21.0, transformers 5.24.0, torch 2.13.0

base.safetensors holds the base under timm's names, the pictures, and the logits of each adapter. The folders hold the adapters as PEFT
saves them; old_spelling has the module names of transformers 4, under which most published adapters stand.
"""
import json
import os
import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import ViTConfig, ViTForImageClassification

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peft")
DIM, DEPTH, CLASSES = 16, 2, 3


def timm_names(state):
    names = {"vit.embeddings.cls_token": "cls_token", "vit.embeddings.position_embeddings": "pos_embed",
             "vit.layernorm.weight": "norm.weight", "vit.layernorm.bias": "norm.bias"}
    out = {}
    for key, value in state.items():
        if "q_proj" in key or "k_proj" in key or "v_proj" in key:
            continue
        name = names.get(key, key)
        name = name.replace("vit.embeddings.patch_embeddings.projection", "patch_embed.proj").replace("vit.layers.", "blocks.")
        name = name.replace("layernorm_before", "norm1").replace("layernorm_after", "norm2")
        name = name.replace("attention.o_proj", "attn.proj").replace("classifier", "head")
        out[name] = value
    for i in range(DEPTH):
        for kind in ("weight", "bias"):
            parts = [state[f"vit.layers.{i}.attention.{p}_proj.{kind}"] for p in "qkv"]
            out[f"blocks.{i}.attn.qkv.{kind}"] = torch.cat(parts)
    return out


def base_model():
    torch.manual_seed(1)
    config = ViTConfig(hidden_size=DIM, num_hidden_layers=DEPTH, num_attention_heads=2, intermediate_size=24, image_size=8,
                       patch_size=4, num_labels=CLASSES, layer_norm_eps=1e-6, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = ViTForImageClassification(config).eval()
    for p in model.parameters():
        p.data = p.data + 0.3 * torch.randn_like(p)
    return model


def old_names(key):
    key = key.replace("vit.layers.", "vit.encoder.layer.")
    for new, old in (("q_proj", "attention.query"), ("k_proj", "attention.key"), ("v_proj", "attention.value"),
                     ("o_proj", "output.dense"), ("mlp.fc1", "intermediate.dense"), ("mlp.fc2", "output.dense")):
        key = key.replace(new, old)
    return key


CASES = {
    "query_value": dict(r=2, lora_alpha=6, target_modules=["q_proj", "v_proj"]),
    "all_rslora": dict(r=3, lora_alpha=4, use_rslora=True, lora_dropout=0.1,
                       target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"]),
    "dora": dict(r=2, lora_alpha=5, use_dora=True, target_modules=["q_proj", "v_proj", "fc1"]),
}


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    os.makedirs(HERE)
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        saved = timm_names(base_model().state_dict())
        saved["images"] = images
        saved["logits.base"] = base_model()(images).logits
        for name, options in CASES.items():
            model = get_peft_model(base_model(), LoraConfig(modules_to_save=["classifier"], **options)).eval()
            torch.manual_seed(3)
            for key, p in model.named_parameters():
                if "lora_" in key or "modules_to_save" in key:
                    p.data = p.data + 0.2 * torch.randn_like(p)
            folder = os.path.join(HERE, name)
            model.save_pretrained(folder)
            saved["logits." + name] = model(images).logits
    old = os.path.join(HERE, "old_spelling")
    os.makedirs(old)
    tensors = load_file(os.path.join(HERE, "query_value", "adapter_model.safetensors"))
    save_file({old_names(k): v.contiguous() for k, v in tensors.items()}, os.path.join(old, "adapter_model.safetensors"))
    config = json.load(open(os.path.join(HERE, "query_value", "adapter_config.json")))
    config["target_modules"] = ["query", "value"]
    json.dump(config, open(os.path.join(old, "adapter_config.json"), "w"), indent=2)
    for folder, _, files in os.walk(HERE):
        if "README.md" in files:
            os.remove(os.path.join(folder, "README.md"))
    save_file({k: v.contiguous() for k, v in saved.items()}, os.path.join(HERE, "base.safetensors"))


main()
