"""Writes the files of this folder with the libraries whose formats they are: torch 2.13, safetensors 0.8, NumPy 2.4.

    python3 make.py                 the small files; tests/models/weights/formats/ knows their values as formulas
    python3 make.py CHECKPOINTS     and checkpoints.txt, one line per file of ../shared/checkpoints: path, format, part,
                                    number of tensors, CRC-32 over name, type, shape and values of each, as those
                                    libraries read them
"""
import argparse
import collections
import json
import pathlib
import struct
import sys
import zipfile
import zlib

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent


def weights(shift):
    """Every type and layout; element i of a tensor is i / 2 - shift, of integers i - shift."""
    def ramp(*shape):
        return torch.arange(int(np.prod(shape)), dtype=torch.float64).reshape(shape) / 2 - shift
    shared = ramp(4, 6).float()
    return collections.OrderedDict(
        [("f32", ramp(3, 4).float()), ("f16", ramp(5).half()), ("bf16", ramp(2, 3).bfloat16()), ("f64", ramp()),
         ("i64", torch.arange(4) - shift), ("i32", torch.arange(4, dtype=torch.int32) - shift),
         ("i16", torch.arange(3, dtype=torch.int16) - shift), ("i8", torch.arange(3, dtype=torch.int8) - shift),
         ("u8", torch.arange(3, dtype=torch.uint8)), ("bool", torch.tensor([True, False, True])),
         ("transposed", shared.t()), ("corner", shared[1:3, 2:5]), ("expanded", ramp(3, 1).float().expand(3, 4)),
         ("none", torch.zeros(0, 3)), ("parameter", torch.nn.Parameter(ramp(2, 2).float()))])


def checkpoint():
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return {"model": weights(1), "model_ema": weights(2), "optimizer": optimizer.state_dict(), "epoch": 3,
            "best": np.float64(0.5), "args": argparse.Namespace(model="vit", lr=1e-3, drop=None)}


def write_small():
    torch.save(checkpoint(), HERE / "training.pt")
    torch.save(checkpoint(), HERE / "training-legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(weights(1), HERE / "protocol-4.pt", pickle_protocol=4)
    torch.save({"unsigned": torch.arange(3).to(torch.uint16)}, HERE / "unsigned.pt")
    torch.save(torch.nn.Linear(1, 1), HERE / "module.pt")
    torch.save(torch.nn.Linear(1, 1), HERE / "module-legacy.pt", _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    torch.save({"w": torch.arange(3.)}, HERE / "without-checksums.pt")
    torch.serialization.set_crc32_options(True)

    class Printing:
        def __reduce__(self):
            return print, ("a pickle was executed",)
    torch.save({"w": torch.zeros(1), "x": Printing()}, HERE / "print.pt")

    arrays = {"f32": np.arange(12, dtype="<f4").reshape(3, 4) / 2, "f16": np.arange(5, dtype="<f2") / 2,
              "f64": np.array(1.5), "deep/name/kernel": np.asfortranarray(np.arange(24, dtype="<f4").reshape(2, 3, 4)),
              "bf16": (np.arange(6, dtype="<f4").view("<u4") >> 16).astype("<u2").view("V2").reshape(2, 3),
              "i64": np.arange(3), "i32": np.arange(3, dtype="<i4"), "u8": np.arange(3, dtype="u1"),
              "b": np.array([True, False])}
    np.savez(HERE / "arrays.npz", **arrays)
    np.savez_compressed(HERE / "packed.npz", **arrays)
    np.savez(HERE / "big-endian.npz", w=np.arange(3, dtype=">f4"))
    np.savez(HERE / "objects.npz", w=np.array([None, "x"], dtype=object))

    folder = HERE / "sharded"
    folder.mkdir(exist_ok=True)
    shards = {"model-00001-of-00002.safetensors": {"a": torch.arange(3.)},
              "model-00002-of-00002.safetensors": {"b": torch.arange(2.)}}
    for name, tensors in shards.items():
        save_file(tensors, folder / name, metadata={"format": "pt"})
    index = {"metadata": {"total_size": 20},
             "weight_map": {tensor: name for name, tensors in shards.items() for tensor in tensors}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


TORCH_TYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
               torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}


def from_torch(tensors):
    for name, x in tensors.items():
        if not isinstance(x, torch.Tensor):
            continue
        kind = TORCH_TYPES[x.dtype]
        wide = x.detach().double() if kind == "F64" else x.detach().float() if kind[0] in "FB" and kind != "BOOL" else x.to(
            torch.uint8 if kind in ("U8", "BOOL") else torch.int64)
        yield name, kind, list(x.shape), wide.contiguous().numpy().tobytes()


def from_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    header.pop("__metadata__", None)
    with safe_open(path, framework="pt") as file:
        names = sorted(header, key=lambda name: header[name]["data_offsets"])
        yield from from_torch({name: file.get_tensor(name) for name in names})


def read(path):
    """format, part, tensors of a file or folder."""
    if path.is_dir():
        index = path / "model.safetensors.index.json"
        if index.exists():
            files = sorted(set(json.loads(index.read_text())["weight_map"].values()))
            return f"safetensors in {len(files)} files", "", [t for f in files for t in from_safetensors(path / f)]
        path = next(p for p in (path / "model.safetensors", path / "open_clip_model.safetensors") if p.exists())
    if path.suffix == ".safetensors":
        return "safetensors", "", list(from_safetensors(path))
    if path.suffix == ".npz":
        arrays = np.load(path)
        return "npz", "", list(from_torch({name: torch.from_numpy(arrays[name].copy()) for name in arrays.files}))
    content = torch.load(path, map_location="cpu", weights_only=False)
    part = next((key for key in ("model", "state_dict") if isinstance(content.get(key), dict)), "")
    kind = "torch zip" if zipfile.is_zipfile(path) else "torch before 1.6"
    return kind, part, list(from_torch(content[part] if part else content))


def write_table(folder):
    cases = json.loads((folder / "manifest.json").read_text())["cases"]
    lines = []
    for case in cases:
        path = folder / case["path"]
        if case["path"] == "refuse-whole-model.pth" or path.parent.name == "trouble" and path.is_file():
            continue
        kind, part, tensors = read(path)
        crc = 0
        for name, dtype, shape, data in tensors:
            crc = zlib.crc32(data, zlib.crc32(f"{name} {dtype} {shape}".encode(), crc))
        lines.append(f"{case['path']}\t{kind}\t{part}\t{len(tensors)}\t{crc:08x}\n")
    (HERE / "checkpoints.txt").write_text("".join(lines))


if __name__ == "__main__":
    write_small()
    if len(sys.argv) > 1:
        write_table(pathlib.Path(sys.argv[1]))
