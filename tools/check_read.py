#!/usr/bin/env python3
"""Lets other libraries write small models of random weights, and compares what Vitrail computes from their files with what they do.

Run by hand, never by the tests; the numbers are in docs/results.md.

    python3 -m venv venv && venv/bin/pip install torch torchvision timm transformers open_clip_torch vit-pytorch pillow
    venv/bin/python tools/check_read.py build/release/vitrail FOLDER [timm options transformers clip lucidrains torchvision pictures]

The measure is max|a - b| / max(1, max|b|) against the library in f64; the limit is 1e-5, of pictures 3e-5. Each model comes out
"equal", "refused" (exit 2 or 3), "warned" (other numbers, and a warning that says so) or WRONG.
"""
import collections
import json
import os
import subprocess
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import torch

try:
    import torchvision
except RuntimeError:  # its compiled operators may be of another build of torch; models and transforms do without them
    for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    _library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

import importlib

import open_clip
import timm
import transformers as hf
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import load_file, save_file

LIMIT, LIMIT_OF_PICTURES = 1e-5, 3e-5


def noisy(model, scale=0.1):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in model.parameters():
            p += scale * torch.randn(p.shape, generator=generator)
    return model.eval()


def in_f64(model, compute, x):
    model.double()
    with torch.no_grad():
        y = compute(x.double())
    model.float()
    return getattr(y, "logits", y).float().contiguous()


class Check:
    def __init__(self, vitrail, folder, group):
        self.vitrail, self.folder, self.group = vitrail, os.path.join(folder, group), group
        self.outcomes, self.largest = collections.Counter(), 0.0
        os.makedirs(self.folder, exist_ok=True)

    def path(self, case):
        return os.path.join(self.folder, case)

    def note(self, case, run, outputs, kind, reference, limit):
        if run.returncode:
            outcome, gap = ("refused" if run.returncode in (2, 3) else "CRASHED"), 0.0
        else:
            y = outputs()[kind]
            same = y.shape == reference.shape
            gap = ((y - reference).abs().max() / max(1.0, reference.abs().max().item())).item() if same else float("inf")
            outcome = "equal" if gap <= limit else "warned" if "warning:" in run.stderr else "WRONG"
        self.outcomes[outcome] += 1
        if outcome == "equal":
            self.largest = max(self.largest, gap)
        else:
            said = " ".join(line for line in run.stderr.splitlines() if "note:" not in line)
            print(f"{self.group:12} {outcome:8} {case:44} {gap:.1e} {said[:200]}")

    def tensor(self, case, path, x, reference, kind="logits", give=()):
        """The arithmetic alone: a normalised input."""
        save_file({"input": x.contiguous()}, self.path("x.safetensors"))
        out = self.path("y.safetensors")
        command = ["predict" if kind == "logits" else "features", "--model", path, "--tensor", self.path("x.safetensors"), "--out", out]
        run = subprocess.run([self.vitrail, *command, *map(str, give)], capture_output=True, text=True, timeout=300)
        self.note(case, run, lambda: load_file(out), kind, reference, LIMIT)

    def pictures(self, case, path, files, pixels, model, compute, kind="logits"):
        """Decoding, preprocessing and arithmetic."""
        out = self.path("y.safetensors")
        run = subprocess.run([self.vitrail, "features", "--model", path, "--out", out, *files] if kind == "features" else
                             [self.vitrail, "predict", "--model", path, "--logits", "--json", *files], capture_output=True, text=True)
        read = lambda: load_file(out) if kind == "features" else {
            "logits": torch.tensor([p["logits"] for p in json.loads(run.stdout)["predictions"]])}
        self.note(case, run, read, kind, in_f64(model, compute, pixels), LIMIT_OF_PICTURES)

    def end(self):
        parts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        print(f"{self.group}: {sum(self.outcomes.values())} models: {parts}; largest difference of the equal {self.largest:.1e}")


def images(channels, height, width, count=2):
    return torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(5))


def check_timm(check):
    """Every architecture of timm with "vit", "deit" and the like in its name, narrow and two blocks deep."""
    starts = ("vit", "deit", "flexivit", "test_vit", "eva", "beit", "cait", "samvit", "naflex", "xcit")
    names = [n for n in timm.list_models() if n.startswith(starts)]
    print(f"{len(names)} architectures; those that do not take these sizes are left out")
    for name in names:
        for size in (dict(embed_dim=48, depth=2, num_heads=4), dict(depth=2)):
            try:
                torch.manual_seed(0)
                model = noisy(timm.create_model(name, num_classes=7, **size))
                if sum(p.numel() for p in model.parameters()) > 8e6:
                    continue
                x = images(*model.pretrained_cfg["input_size"], count=1)
                y = in_f64(model, model, x)
                timm.models.save_for_hf(model, check.path(name), model_args=size, safe_serialization=True)
            except Exception:
                continue  # an architecture that does not take these sizes
            check.tensor(name, check.path(name), x, y)
            break


TIMM_OPTIONS = [dict(act_layer=a) for a in ("relu", "silu", "quick_gelu", "gelu_tanh", "swish", "mish", "relu6", "elu", "tanh")] + [
    dict(global_pool=p) for p in ("token", "avg", "max", "avgmax", "map")] + [dict(norm_layer=n) for n in ("rmsnorm", "layernormfp32")] + [
    dict(embed_norm_layer="layernorm"), dict(global_pool="avg", pool_include_prefix=True), dict(qk_norm=True), dict(scale_attn_norm=True),
    dict(scale_mlp_norm=True), dict(qkv_bias=False), dict(proj_bias=False), dict(init_values=0.3), dict(class_token=False, global_pool="avg"),
    dict(reg_tokens=3), dict(no_embed_class=True, reg_tokens=2), dict(pos_embed="none"), dict(pre_norm=True), dict(fc_norm=True),
    dict(fc_norm=False, global_pool="avg"), dict(final_norm=False), dict(dynamic_img_size=True), dict(attn_layer="diff"), dict(mlp_ratio=1.7),
    dict(num_heads=1), dict(num_heads=12), dict(in_chans=1), dict(img_size=(32, 48)), dict(img_size=(32, 48), patch_size=(8, 16))]


def check_options(check):
    for i, options in enumerate(TIMM_OPTIONS):
        arguments = dict(dict(embed_dim=48, depth=2, num_heads=4, img_size=48, patch_size=16), **options)
        torch.manual_seed(0)
        model = noisy(timm.create_model("vit_base_patch16_224", num_classes=7, **arguments))
        side = arguments["img_size"]
        x = images(arguments.get("in_chans", 3), *(side if isinstance(side, tuple) else (side, side)))
        path = check.path(str(i))
        timm.models.save_for_hf(model, path, model_args=json.loads(json.dumps(arguments)), safe_serialization=True)
        check.tensor(" ".join(f"{k}={v}" for k, v in options.items()), path, x, in_f64(model, model, x))


def check_transformers(check):
    vit = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, image_size=32, patch_size=8, num_labels=5)
    dino = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, mlp_ratio=2, image_size=32, patch_size=8, num_labels=5)
    clip = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, image_size=32, patch_size=8)
    text = dict(hidden_size=64, num_hidden_layers=1, num_attention_heads=2, vocab_size=64, intermediate_size=32)
    token = lambda o: o.last_hidden_state[:, 0]

    def put(case, model, size=(32, 32), channels=3, compute=None, kind="logits", pictures=None):
        noisy(model)
        model.save_pretrained(check.path(case))
        if pictures:
            json.dump(pictures, open(check.path(case) + "/preprocessor_config.json", "w"))
        x = images(channels, *size)
        check.tensor(case, check.path(case), x, in_f64(model, lambda x: compute(model(x)) if compute else model(x), x), kind)

    for act in ("gelu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu", "gelu_fast", "swish", "gelu_python", "gelu_accurate",
                "gelu_10", "tanh", "mish"):
        put("vit " + act, hf.ViTForImageClassification(hf.ViTConfig(**vit, hidden_act=act)))
    for key, value in dict(qkv_bias=False, layer_norm_eps=1e-3).items():
        put(f"vit {key}={value}", hf.ViTForImageClassification(hf.ViTConfig(**vit, **{key: value})))
    put("vit 32 x 48", hf.ViTForImageClassification(hf.ViTConfig(**dict(vit, image_size=(32, 48)))), (32, 48))
    put("vit grey", hf.ViTForImageClassification(hf.ViTConfig(**vit, num_channels=1)), channels=1)
    put("vit alone", hf.ViTModel(hf.ViTConfig(**vit)), compute=token, kind="features")
    for name in ("DeiTForImageClassification", "DeiTForImageClassificationWithTeacher"):
        put(name, getattr(hf, name)(hf.DeiTConfig(**vit)))
    for key, value in dict(num_labels=5, use_swiglu_ffn=True, qkv_bias=False, hidden_act="relu", use_mask_token=False, layerscale_value=0.5).items():
        put(f"dinov2 {key}={value}", hf.Dinov2ForImageClassification(hf.Dinov2Config(**dict(dino, **{key: value}))))
    put("dinov2 alone", hf.Dinov2Model(hf.Dinov2Config(**dino)), compute=token, kind="features")
    for grid, height, width in ((56, 32, 32), (40, 32, 48), (32, 56, 56), (56, 40, 24)):
        pictures = dict(image_processor_type="BitImageProcessor", size=dict(shortest_edge=height), crop_size=dict(height=height, width=width))
        config = dict(dino, image_size=grid)
        case = f"{grid} at {height} x {width}"
        put("dinov2 " + case, hf.Dinov2ForImageClassification(hf.Dinov2Config(**config)), (height, width), pictures=pictures)
        put("dinov2 with registers " + case, hf.Dinov2WithRegistersForImageClassification(
            hf.Dinov2WithRegistersConfig(**config, num_register_tokens=4)), (height, width), pictures=pictures)
    for act in ("quick_gelu", "gelu"):
        put("clip " + act, hf.CLIPVisionModel(hf.CLIPVisionConfig(**clip, hidden_act=act)), compute=lambda o: o.pooler_output, kind="features")
    put("clip classes", hf.CLIPForImageClassification(hf.CLIPConfig(vision_config=clip, text_config=text, num_labels=5)))
    others = dict(ViTMSN=vit, IJepa=vit, Beit=vit, Data2VecVision=vit)
    for name, config in others.items():
        put(name, getattr(hf, name + "ForImageClassification")(getattr(hf, name + "Config")(**config)))
    put("siglip", hf.SiglipForImageClassification(hf.SiglipConfig(vision_config=clip, text_config=text, num_labels=5)))
    put("dinov3", hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**clip)), compute=token, kind="features")


def clip_model(vision, quick=False):
    text = dict(context_length=8, vocab_size=64, width=32, heads=2, layers=1)
    vision = dict(dict(image_size=32, layers=2, width=64, head_width=16, patch_size=8), **vision)
    model = noisy(open_clip.model.CLIP(embed_dim=24, vision_cfg=vision, text_cfg=text, quick_gelu=quick), 0.05)
    if "timm_model_name" in vision:
        vision = {k: v for k, v in vision.items() if k.startswith("timm") or k == "image_size"}
    return model, dict(embed_dim=24, vision_cfg=vision, text_cfg=text, **(dict(quick_gelu=True) if quick else {}))


def pooled(model):
    """What the projection of a CLIP tower reads."""
    def compute(x):
        if hasattr(model.visual, "trunk"):
            return model.visual.trunk(x)
        projection, model.visual.proj = model.visual.proj, None
        y = model.encode_image(x)
        model.visual.proj = projection
        return y
    return compute


def save_clip(path, model, config, pictures):
    os.makedirs(path, exist_ok=True)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path + "/open_clip_model.safetensors")
    json.dump(dict(model_cfg=config, preprocess_cfg=pictures), open(path + "/open_clip_config.json", "w"))


CLIP_PICTURES = dict(mean=[.48, .45, .4], std=[.27, .26, .27], interpolation="bicubic", resize_mode="shortest")
TRUNK = dict(timm_model_name="test_vit", timm_model_pretrained=False, timm_proj="linear", image_size=160)


def check_clip(check):
    cases = [dict(), dict(pool_type="avg"), dict(final_ln_after_pool=True), dict(pool_type="avg", final_ln_after_pool=True), dict(qk_norm=True),
             dict(ls_init_value=0.1), dict(no_ln_pre=True), dict(patch_dropout=0.5), dict(pos_embed_type="sin_cos_2d"), dict(mlp_ratio=2.5),
             dict(image_size=[32, 48]), dict(norm_kwargs=dict(eps=1e-3)), dict(act_kwargs=dict(approximate="tanh")), dict(pool_type="none"),
             dict(attentional_pool=True, attn_pooler_queries=4, attn_pooler_heads=4), dict(TRUNK, timm_pool=""), dict(TRUNK, timm_pool="avg"),
             dict(TRUNK, timm_pool="", timm_proj="mlp")]
    for i, (vision, quick) in enumerate([(c, False) for c in cases] + [(dict(), True)]):
        model, config = clip_model(vision, quick)
        side = vision.get("image_size", 32)
        x = images(3, *(side if isinstance(side, list) else (side, side)))
        save_clip(check.path(str(i)), model, config, CLIP_PICTURES)
        case = " ".join(f"{k}={v}" for k, v in vision.items()) + (" quick_gelu" if quick else "")
        y = in_f64(model, pooled(model), x)
        check.tensor(case, check.path(str(i)), x, y if y.dim() == 2 else y[:, 0], "features")


def check_lucidrains(check):
    base = dict(image_size=32, patch_size=8, num_classes=5, dim=64, depth=2, heads=4, mlp_dim=96)
    give = ("--num-heads", 4, "--img-size", 32)
    cases = [("vit", "ViT", dict()), ("vit", "ViT", dict(pool="mean")), ("vit", "ViT", dict(dim_head=16)), ("vit", "ViT", dict(channels=1)),
             ("simple_vit", "SimpleViT", dict()), ("simple_vit", "SimpleViT", dict(dim_head=16)),
             ("simple_vit_with_register_tokens", "SimpleViT", dict()), ("simple_vit_with_patch_dropout", "SimpleViT", dict()),
             ("simple_vit_with_fft", "SimpleViT", dict(freq_patch_size=8)), ("simple_vit_with_qk_norm", "SimpleViT", dict()), ("simple_vit_with_value_residual", "SimpleViT", dict()),
             ("simple_flash_attn_vit", "SimpleViT", dict()), ("vit_with_patch_dropout", "ViT", dict(patch_dropout=0.)),
             ("vit_for_small_dataset", "ViT", dict()), ("deepvit", "DeepViT", dict()), ("parallel_vit", "ViT", dict()), ("normalized_vit", "nViT", dict()),
             ("cait", "CaiT", dict(cls_depth=1)), ("learnable_memory_vit", "ViT", dict()), ("distill", "DistillableViT", dict()),
             ("ats_vit", "ViT", dict(max_tokens_per_depth=(16, 16)))]
    for i, (module, name, options) in enumerate(cases):
        torch.manual_seed(0)
        model = noisy(getattr(importlib.import_module("vit_pytorch." + module), name)(**base, **options))
        x = images(options.get("channels", 3), 32, 32)
        y = in_f64(model, model, x)
        torch.save(model.state_dict(), check.path(f"{i}.pt"))
        check.tensor(f"{module} {options or ''}", check.path(f"{i}.pt"), x, y, give=give)


def check_torchvision(check):
    from torchvision.models.vision_transformer import ConvStemConfig, VisionTransformer
    base = dict(image_size=32, patch_size=8, num_layers=2, num_heads=4, hidden_dim=64, mlp_dim=96, num_classes=5)
    for i, options in enumerate([dict(), dict(num_heads=1), dict(representation_size=48), dict(conv_stem_configs=[ConvStemConfig(32, 3, 2)] * 3)]):
        torch.manual_seed(0)
        model = noisy(VisionTransformer(**dict(base, **options)))
        x = images(3, 32, 32)
        y = in_f64(model, model, x)
        torch.save(model.state_dict(), check.path(f"{i}.pth"))
        check.tensor(" ".join(options) or "plain", check.path(f"{i}.pth"), x, y, give=("--num-heads", options.get("num_heads", 4)))


def some_pictures(folder):
    files = []
    for i, (w, h) in enumerate([(37, 61), (100, 40), (224, 224), (48, 48), (301, 203), (64, 200)]):
        noise = torch.randint(0, 256, (9, 9, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(i)).numpy()
        files.append(os.path.join(folder, f"{i}.png"))
        Image.fromarray(noise).resize((w, h), Image.BICUBIC).save(files[-1])
    return files


def check_pictures(check):
    files = some_pictures(check.folder)
    opened = [Image.open(f) for f in files]
    vit = dict(hidden_size=64, num_hidden_layers=1, num_attention_heads=4, intermediate_size=96, image_size=32, patch_size=8, num_labels=5)
    dino = dict(hidden_size=64, num_hidden_layers=1, num_attention_heads=4, mlp_ratio=2, image_size=32, patch_size=8, num_labels=5)
    clip = hf.CLIPConfig(vision_config={k: v for k, v in vit.items() if k != "num_labels"}, num_labels=5,
                         text_config=dict(hidden_size=64, num_hidden_layers=1, num_attention_heads=2, vocab_size=64))
    models = dict(ViT=noisy(hf.ViTForImageClassification(hf.ViTConfig(**vit))), DeiT=noisy(hf.DeiTForImageClassification(hf.DeiTConfig(**vit))),
                  Bit=noisy(hf.Dinov2ForImageClassification(hf.Dinov2Config(**dino))), CLIP=noisy(hf.CLIPForImageClassification(clip)))
    square = lambda n: dict(height=n, width=n)
    nulls = dict.fromkeys(("do_convert_rgb", "crop_size", "do_center_crop", "device", "input_data_format", "return_tensors"))
    cases = [("ViT", dict(size=square(32), resample=r)) for r in range(6)] + [
        ("ViT", dict(size=32)), ("ViT", dict(size=square(32), do_rescale=False, image_mean=[100., 110, 120], image_std=[60., 61, 62])),
        ("ViT", dict(size=square(32), do_normalize=False)), ("ViT", dict(size=square(32), rescale_factor=1 / 127.5)),
        ("ViT", dict(nulls, image_processor_type="ViTImageProcessorFast", size=square(32))),
        ("DeiT", dict(size=square(36), crop_size=square(32), resample=3)), ("DeiT", dict(size=40, crop_size=32)),
        ("DeiT", dict(size=square(32), do_center_crop=False)), ("DeiT", dict(size=square(28), crop_size=square(32))),
        ("Bit", dict(size=dict(shortest_edge=37), crop_size=square(32))), ("Bit", dict(size=dict(shortest_edge=32), crop_size=square(32), resample=2)),
        ("CLIP", dict(size=dict(shortest_edge=32), crop_size=square(32))), ("CLIP", dict(size=dict(shortest_edge=24), crop_size=square(32)))]
    for i, (name, config) in enumerate(cases):
        path = check.path(f"hf{i}")
        models[name].save_pretrained(path)
        json.dump(dict(dict(image_processor_type=name + "ImageProcessor"), **config), open(path + "/preprocessor_config.json", "w"))
        processor = hf.AutoImageProcessor.from_pretrained(path, backend="pil")
        pixels = torch.cat([processor(p, return_tensors="pt")["pixel_values"] for p in opened])
        check.pictures(f"{name} {config}", path, files, pixels, models[name], models[name])
    sizes = dict(embed_dim=48, depth=1, num_heads=3, img_size=32, patch_size=8)
    for i, config in enumerate([dict(interpolation=f, crop_pct=0.9) for f in ("bicubic", "bilinear", "lanczos", "nearest", "box", "hamming")] + [
            dict(crop_mode=m, crop_pct=p) for m in ("center", "squash", "border") for p in (1.0, 0.875, 0.6)] + [dict(mean=(.1, .2, .3), std=(.9, .8, .7))]):
        model = noisy(timm.create_model("vit_tiny_patch16_224", num_classes=7, **sizes))
        model.pretrained_cfg.update(dict(config, input_size=(3, 32, 32)))
        timm.models.save_for_hf(model, check.path(f"timm{i}"), model_args=sizes, safe_serialization=True)
        model = timm.create_model("local-dir:" + check.path(f"timm{i}"), pretrained=True).eval()
        transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
        check.pictures(f"timm {config}", check.path(f"timm{i}"), files, torch.stack([transform(p) for p in opened]), model, model)
    for i, (size, config) in enumerate([(32, dict()), (32, dict(interpolation="bilinear")), (32, dict(interpolation="random")),
                                        (32, dict(resize_mode="squash")), (32, dict(resize_mode="longest")), (32, dict(resize_mode="longest", fill_color=128)),
                                        ((32, 48), dict()), ((32, 48), dict(interpolation="bilinear")),
                                        ((32, 48), dict(resize_mode="squash")), ((32, 48), dict(resize_mode="longest"))]):
        model, description = clip_model(dict(image_size=size))
        recipe = dict(CLIP_PICTURES, **config)
        save_clip(check.path(f"clip{i}"), model, description, recipe)
        transform = image_transform_v2(PreprocessCfg(size=size, **recipe), is_train=False)
        check.pictures(f"open_clip {size} {config}", check.path(f"clip{i}"), files, torch.stack([transform(p) for p in opened]), model,
                       pooled(model), "features")


GROUPS = dict(timm=check_timm, options=check_options, transformers=check_transformers, clip=check_clip, lucidrains=check_lucidrains,
              torchvision=check_torchvision, pictures=check_pictures)

if __name__ == "__main__":
    vitrail, folder, groups = sys.argv[1], sys.argv[2], sys.argv[3:] or list(GROUPS)
    wrong = 0
    for group in groups:
        check = Check(vitrail, folder, group)
        GROUPS[group](check)
        check.end()
        wrong += check.outcomes["WRONG"] + check.outcomes["CRASHED"] + (check.outcomes["equal"] == 0)
    sys.exit(1 if wrong else 0)
