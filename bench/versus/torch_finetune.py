"""One process of PyTorch: fine-tunes a ViT on a folder of pictures for one epoch, and prints one line of JSON.

The plain loop that a user would write: decoding by Pillow, random resized crop and mirror, AdamW with a warm-up and a cosine, label
smoothing, clipping. The weights are random: they change no speed. torchvision is not needed.
"""
import argparse
import json
import math
import os
import random
import time

import numpy
import torch
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from torch_vit import ViT
from worker import status_mb
from works import WORKS

MEAN, STD = numpy.float32([0.485, 0.456, 0.406]), numpy.float32([0.229, 0.224, 0.225])


class Folder(Dataset):
    def __init__(self, root, side, crop_scale):
        self.side, self.crop_scale = side, crop_scale
        classes = sorted(os.listdir(root))
        self.files = [(os.path.join(root, c, f), i) for i, c in enumerate(classes) for f in sorted(os.listdir(os.path.join(root, c)))]
        self.classes = len(classes)

    def __len__(self):
        return len(self.files)

    def box(self, width, height):
        """Inception's crop: a part of the area, with a ratio of the sides from 3/4 to 4/3."""
        for _ in range(10):
            area = width * height * random.uniform(self.crop_scale, 1)
            ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                x, y = random.randint(0, width - w), random.randint(0, height - h)
                return (x, y, x + w, y + h)
        return (0, 0, width, height)

    def __getitem__(self, index):
        path, label = self.files[index]
        image = Image.open(path).convert("RGB")
        image = image.resize((self.side, self.side), Image.BICUBIC, box=self.box(*image.size))
        if random.random() < 0.5:
            image = image.transpose(Image.FLIP_LEFT_RIGHT)
        pixels = (numpy.asarray(image, dtype=numpy.float32) / 255 - MEAN) / STD
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy()), label


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True, help="folder of class folders")
    parser.add_argument("--work", default="s")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--compile", action="store_true")
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    base_mb = status_mb("VmRSS")
    vit = dict(WORKS[o.work]["vit"])
    data = Folder(o.data, vit["img_size"], 0.35)
    vit["num_classes"] = data.classes
    model = ViT(**vit)
    step_model = torch.compile(model) if o.compile else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.05)
    loader = DataLoader(data, batch_size=o.batch, shuffle=True, num_workers=o.workers, drop_last=True)
    steps, seconds, step = len(loader), [], 0
    start = time.perf_counter()
    for images, labels in loader:
        rate = 5e-5 * min((step + 1) / (0.05 * steps), 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(step_model(images), labels, label_smoothing=0.1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        seconds.append(time.perf_counter() - start)
        step += 1
    # The first step compiles; the rate is that of all others.
    rate = (steps - 1) * o.batch / (seconds[-1] - seconds[0])
    print(json.dumps(dict(images_per_s=rate, first_s=seconds[0], steps=steps, peak_rss_mb=status_mb("VmHWM"), base_rss_mb=base_mb,
                          version="PyTorch " + torch.__version__)))


if __name__ == "__main__":
    main()
