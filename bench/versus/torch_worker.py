"""One process of PyTorch: builds the work, times it, prints one line of JSON. With --export it writes the model as ONNX instead."""
import argparse
import contextlib

import torch
from torch.nn import functional as F

from torch_vit import ViT
from worker import report, status_mb
from works import CONV_LAYERS, WORKS


def vit_step(work, batch, mode, autocast):
    model = ViT(**work["vit"])
    side = work["vit"]["img_size"]
    images = torch.randn(batch, 3, side, side)
    labels = torch.randint(0, work["vit"]["num_classes"], (batch,))
    if mode == "infer":
        model.eval()

        def infer():
            with torch.no_grad(), autocast():
                return model(images)

        return infer
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)

    def train():
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            logits = model(images)
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return train


def conv_step(batch, mode, autocast):
    """All convolutions of the table, one after the other, each as often as it occurs: forward, in training also backward."""
    layers = []
    for count, cin, cout, side, kernel, stride in CONV_LAYERS:
        x = torch.randn(batch, cin, side, side, requires_grad=mode == "train")
        weight = torch.randn(cout, cin, kernel, kernel, requires_grad=mode == "train")
        layers.append((count, x, weight, stride, kernel // 2, torch.randn(batch, cout, side // stride, side // stride)))

    def step():
        for count, x, weight, stride, padding, dy in layers:
            for _ in range(count):
                with autocast(), torch.set_grad_enabled(mode == "train"):
                    y = F.conv2d(x, weight, stride=stride, padding=padding)
                if mode == "train":
                    x.grad = weight.grad = None
                    y.backward(dy.to(y.dtype))

    return step


def export(work, batch, path):
    model = ViT(**work["vit"], fused=False).eval()
    side = work["vit"]["img_size"]
    options = {"dynamo": False} if int(torch.__version__.split(".")[0]) >= 2 else {}
    torch.onnx.export(model, torch.randn(batch, 3, side, side), path, opset_version=14, input_names=["images"],
                      output_names=["logits"], **options)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", choices=sorted(WORKS), required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--mode", choices=["train", "infer"], default="train")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--export", help="write an ONNX file and leave")
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    work, base_mb = WORKS[o.work], status_mb("VmRSS")
    if o.export:
        export(work, o.batch, o.export)
        return
    bf16 = o.precision == "bf16"
    autocast = (lambda: torch.autocast("cpu", dtype=torch.bfloat16)) if bf16 else contextlib.nullcontext
    step = vit_step(work, o.batch, o.mode, autocast) if work["kind"] == "vit" else conv_step(o.batch, o.mode, autocast)
    report(step, o.steps, o.warmup, "PyTorch " + torch.__version__, base_mb)


if __name__ == "__main__":
    main()
