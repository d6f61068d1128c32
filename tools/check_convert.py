#!/usr/bin/env python3
"""Opens what `vitrail convert` wrote with the libraries it was written for, and compares their results with ours.

Run by hand, never by the tests; the numbers are in docs/results.md. First let the tests leave their models and our results:

    mkdir /tmp/exported
    VITRAIL_EXPORT_TO=/tmp/exported build/release/tests/models.bin -tc="*comes back from every*,*keep every bit*"
    python3 -m venv venv && venv/bin/pip install torch torchvision timm transformers onnx onnxruntime openvino pillow
    venv/bin/python tools/check_convert.py /tmp/exported [/path/to/checkpoints]

FOLDER/NAME/ holds results.safetensors (input, logits, features) and timm/, hf/, torchvision.safetensors, onnx.onnx, vitrail/
where the library has such a model. The measure is max|a - b| / max(1, max|b|), the limit 1e-5.
"""

import json
import os
import sys
from functools import partial

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import torch

LIMIT = 1e-5


def import_torchvision():
    """Its compiled operators may be of another build of torch; models and transforms do without them."""
    try:
        import torchvision
    except RuntimeError:
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for name, arguments in {
            "nms": "Tensor dets, Tensor scores, float iou_threshold",
            "qnms": "Tensor dets, Tensor scores, float iou_threshold",
        }.items():
            library.define(f"{name}({arguments}) -> Tensor")
        import_torchvision.library = library
        import torchvision
    return torchvision


torchvision = import_torchvision()
import numpy as np
import onnx
import onnxruntime
import openvino
import PIL
import timm
import transformers
from safetensors import safe_open
from safetensors.torch import load_file


def distance(a, b):
    a, b = torch.as_tensor(a).double(), torch.as_tensor(b).double()
    if a.shape != b.shape:
        return float("inf")
    return ((a - b).abs().max() / max(1.0, b.abs().max().item())).item()


def run_timm(path, ours):
    model = timm.create_model("local-dir:" + path, pretrained=True).eval()
    with torch.no_grad():
        return model(ours["input"])


def run_transformers(path, ours):
    config = json.load(open(path + "/config.json"))
    name = config["architectures"][0]
    model, report = getattr(transformers, name).from_pretrained(path, output_loading_info=True)
    missing = [k for k in report["missing_keys"] if not k.startswith("pooler.")]  # ViTModel's, which we do not have
    if missing or report["unexpected_keys"] or report["mismatched_keys"]:
        raise RuntimeError(f"{name}: {report}")
    labels = model.config.id2label
    if "id2label" in config and [labels[i] for i in range(len(labels))] != list(config["id2label"].values()):
        raise RuntimeError("other labels")
    with torch.no_grad():
        y = model.eval()(pixel_values=ours["input"])
    if hasattr(y, "logits") and y.logits is not None:
        return y.logits
    if hasattr(y, "image_embeds"):
        return y.image_embeds
    return y.pooler_output if "CLIP" in name else y.last_hidden_state[:, 0]


def run_torchvision(path, ours):
    with safe_open(path, "pt") as f:
        metadata = f.metadata()
    norm = partial(torch.nn.LayerNorm, eps=float(metadata["norm_eps"]))
    arguments = json.loads(metadata["vision_transformer"])
    model = torchvision.models.VisionTransformer(**arguments, norm_layer=norm)
    model.load_state_dict(load_file(path))
    with torch.no_grad():
        return model.eval()(ours["input"])


def onnx_output(names, values, ours):
    worst = {}
    for name, value in zip(names, values):
        if name in ours:
            worst[name] = distance(np.asarray(value), ours[name])
    main = "logits" if "logits" in names else "features"
    if main == "features":
        worst[main] = distance(np.asarray(values[names.index(main)]), ours["features"])
    return max(worst.values())


def run_onnxruntime(path, ours):
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    x = ours["input"].numpy()
    whole = session.run(None, {"pixel_values": x})
    single = session.run(None, {"pixel_values": x[:1]})  # another batch
    for a, b in zip(whole, single):
        if distance(a[:1], b) > LIMIT:
            raise RuntimeError("another batch gives another result")
    return onnx_output(names, whole, ours)


def run_openvino(path, ours):
    core = openvino.Core()
    model = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [o.get_any_name() for o in model.outputs]
    result = model([ours["input"].numpy()])
    return onnx_output(names, [result[i] for i in range(len(names))], ours)


def wanted(ours, folder):
    if "embedding" in ours and os.path.exists(folder + "/hf"):
        return ours["embedding"]
    return ours["logits"]


def check(name, kind, function, path, ours, table):
    if not os.path.exists(path):
        return
    try:
        result = function(path, ours)
        gap = result if isinstance(result, float) else distance(result, wanted(ours, os.path.dirname(path)))
        table.setdefault(kind, []).append((gap, name))
        if not gap <= LIMIT:
            print(f"FAILED {name} {kind}: {gap:.2g}")
    except Exception as error:  # reported with the name of the case; the others go on
        table.setdefault(kind, []).append((float("inf"), name))
        print(f"FAILED {name} {kind}: {type(error).__name__}: {str(error)[:400]}")


def hugging_face_pixels(path, pictures):
    processor = transformers.AutoImageProcessor.from_pretrained(path, backend="pil")
    if not getattr(processor, "do_convert_rgb", False):
        pictures = [p.convert("RGB") for p in pictures]
    return torch.cat([processor(p, return_tensors="pt")["pixel_values"] for p in pictures])


def timm_pixels(path, pictures):
    model = timm.create_model("local-dir:" + path, pretrained=True)
    config = timm.data.resolve_model_data_config(model)
    transform = timm.data.create_transform(**config, is_training=False)
    mode = "L" if config["input_size"][0] == 1 else "RGB"
    return torch.stack([transform(p.convert(mode)) for p in pictures])


def check_pictures(folder, checkpoints, table):
    """The exported preprocessing, over PIL, against the references of the sample that was converted to its own library."""
    from PIL import Image, ImageOps

    manifest = json.load(open(checkpoints + "/manifest.json"))
    for case in manifest["cases"]:
        kind = {"hf": "hf", "timm": "timm"}.get(case["name"].split("-")[0])
        path = f"{folder}/{case['name']}/{kind}"
        if kind is None or not case.get("pictures") or not os.path.exists(path):
            continue
        reference = load_file(f"{checkpoints}/{case['reference']}")
        key = next((k for k in ("pictures.pixels.pil", "pictures.pixels") if k in reference), None)
        if key is None:
            continue
        try:
            pictures = [ImageOps.exif_transpose(Image.open(f"{checkpoints}/pictures/{p}")) for p in case["pictures"]]
            pixels = (hugging_face_pixels if kind == "hf" else timm_pixels)(path, pictures)
            gap = distance(pixels, reference[key])
            if not gap <= LIMIT:
                print(f"FAILED {case['name']} pictures: {gap:.2g}")
        except Exception as error:
            gap = float("inf")
            print(f"FAILED {case['name']} pictures: {type(error).__name__}: {str(error)[:400]}")
        name = "transformers' image processor over PIL" if kind == "hf" else "timm's transform"
        table.setdefault(name, []).append((gap, case["name"]))


def main():
    folder = sys.argv[1]
    table = {}
    for name in sorted(os.listdir(folder)):
        at = f"{folder}/{name}"
        if not os.path.exists(at + "/results.safetensors"):
            continue
        ours = load_file(at + "/results.safetensors")
        check(name, "timm", run_timm, at + "/timm", ours, table)
        check(name, "transformers", run_transformers, at + "/hf", ours, table)
        check(name, "torchvision", run_torchvision, at + "/torchvision.safetensors", ours, table)
        check(name, "onnxruntime", run_onnxruntime, at + "/onnx.onnx", ours, table)
        check(name, "OpenVINO", run_openvino, at + "/onnx.onnx", ours, table)
    if len(sys.argv) > 2:
        check_pictures(folder, sys.argv[2], table)
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}, transformers "
          f"{transformers.__version__}, onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, openvino "
          f"{openvino.__version__}, Pillow {PIL.__version__}")
    for kind, gaps in table.items():
        good = [g for g in gaps if g[0] <= LIMIT]
        worst = max(gaps)
        print(f"{kind}: {len(good)} of {len(gaps)} within {LIMIT}, largest {worst[0]:.2g} ({worst[1]})")
    return 0 if all(g[0] <= LIMIT for gaps in table.values() for g in gaps) else 1


if __name__ == "__main__":
    sys.exit(main())
