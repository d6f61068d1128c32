#!/usr/bin/env python3
"""How cost grows: `vitrail bench` over batch, image side, depth, width and threads.

Writes scaling.csv (a row per run) and scaling.svg (log-log plots with the fitted exponents of time and memory). The exponent is
the slope of the least-squares line through (log x, log y). bench/README.md says what to expect.
"""
import argparse
import contextlib
import csv
import fcntl
import json
import math
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Small enough for 64 images, wide enough for full speed: ViT-Ti/16.
BASE = dict(batch=8, image=224, depth=12, width=192, threads=2)
SWEEPS = {
    "batch": [1, 2, 4, 8, 16, 32, 64],
    "image": [96, 128, 192, 256, 384, 512],
    "depth": [3, 6, 12, 24],
    "width": [96, 192, 384, 768],
    "threads": [1, 2],
}
HEAD_WIDTH = 64
MEASURES = [("ms", "time, ms,", "#3b78b5"), ("tensor_mb", "tensors, MB,", "#e08a2e")]


@contextlib.contextmanager
def locked(path):
    """Holds a lock file while one process runs, so that several users of a machine can measure in turn."""
    if not path:
        yield
        return
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def measure(point, o, folder):
    """One run of vitrail bench: a row of the table."""
    width = point["width"]
    config = dict(architecture="vit", img_size=point["image"], patch_size=16, embed_dim=width, depth=point["depth"],
                  num_heads=max(1, width // HEAD_WIDTH))
    path = os.path.join(folder, "model.json")
    with open(path, "w") as file:
        json.dump(config, file)
    command = [o.vitrail, "bench", "--json", "--model", path, "--mode", o.mode, "--precision", o.precision, "--batch-size",
               str(point["batch"]), "--threads", str(point["threads"]), "--steps", str(o.steps), "--warmup", str(o.warmup)]
    with locked(o.lock):
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("scaling: %s\n%s" % (" ".join(command), done.stderr))
    r = json.loads(done.stdout)
    return dict(point, ms=r["step_ms"]["median"], images_per_second=r["images_per_second"], gflops=r["gflops"],
                peak_gflops=r["peak_gflops"], gflop_per_step=r["flops_per_step"] / 1e9, tensor_mb=r["peak_tensor_bytes"] / 1e6,
                rss_mb=r["peak_rss_bytes"] / 1e6)


def exponent(rows, key, measure_key):
    """Slope and height of the least-squares line in logarithms, or None with fewer than two points."""
    points = [(math.log(row[key]), math.log(row[measure_key])) for row in rows if row[measure_key] > 0]
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points)) if points else (0, 0)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return None
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return slope, mean_y - slope * mean_x


# ---- the plot ------------------------------------------------------------------------------------------------------------

PANEL_W, PANEL_H, MARGIN = 400, 270, 56


def ticks(low, high):
    """1, 2, 5 x 10^n inside [low, high]."""
    found = [m * 10.0**e for e in range(-3, 8) for m in (1, 2, 5)]
    return [t for t in found if low <= t <= high]


def panel(rows, key, measure_key, label, colour, left, top):
    xs, ys = [row[key] for row in rows], [row[measure_key] for row in rows]
    low_x, high_x, low_y, high_y = min(xs) / 1.15, max(xs) * 1.15, min(ys) / 1.4, max(ys) * 1.4
    width, height = PANEL_W - MARGIN - 20, PANEL_H - 84

    def at(x, y):
        return (left + MARGIN + width * math.log(x / low_x) / math.log(high_x / low_x),
                top + 40 + height * (1 - math.log(y / low_y) / math.log(high_y / low_y)))

    bottom = top + 40 + height
    svg = ['<rect x="%g" y="%g" width="%g" height="%g" fill="#f7f8fa"/>' % (left + MARGIN, top + 40, width, height)]
    for y in ticks(low_y, high_y):
        svg.append('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#dde1e7"/>' % (*at(low_x, y), *at(high_x, y)))
        svg.append('<text x="%.1f" y="%.1f" class="soft end">%g</text>' % (left + MARGIN - 6, at(low_x, y)[1] + 4, y))
    for x in xs:
        svg.append('<text x="%.1f" y="%.1f" class="soft mid">%g</text>' % (at(x, low_y)[0], bottom + 16, x))
    title = "%s over %s" % (label, key)
    fit = exponent(rows, key, measure_key)
    if fit:
        line = [math.exp(fit[1] + fit[0] * math.log(x)) for x in (xs[0], xs[-1])]
        svg.append('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="1.5" stroke-dasharray="5 4"/>' %
                   (*at(xs[0], line[0]), *at(xs[-1], line[1]), colour))
        title += ": exponent %.2f" % fit[0]
    svg += ['<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>' % (*at(x, y), colour) for x, y in zip(xs, ys)]
    svg.append('<text x="%g" y="%g" class="name">%s</text>' % (left + MARGIN, top + 26, title))
    return svg


def plot(results, o):
    """A row of panels per sweep: time, memory."""
    width, height = PANEL_W * len(MEASURES) + 20, PANEL_H * len(results) + 70
    svg = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' % (width, height, width, height),
           "<style>text{font:13px sans-serif;fill:#1d2430}.head{font-size:18px;font-weight:600}.name{font-weight:600}"
           ".soft{fill:#5b6472;font-size:11px}.end{text-anchor:end}.mid{text-anchor:middle}</style>",
           '<rect width="100%" height="100%" fill="#fff"/>',
           '<text x="24" y="34" class="head">Cost of %s, %s</text>' %
           ("a training step" if o.mode == "train" else "inference", o.precision),
           '<text x="24" y="54" class="soft">patch 16; what is not varied: %s</text>' % described(BASE)]
    for i, (key, rows) in enumerate(results.items()):
        for j, (measure_key, label, colour) in enumerate(MEASURES):
            svg += panel(rows, key, measure_key, label, colour, 10 + PANEL_W * j, 58 + PANEL_H * i)
    return "\n".join(svg + ["</svg>", ""])


def described(point):
    return ", ".join("%s %d" % item for item in point.items())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: sorted(int(x) for x in text.split(","))
    for key, values in SWEEPS.items():
        parser.add_argument("--" + key, type=numbers, help="instead of " + ",".join(map(str, values)))
    parser.add_argument("--sweeps", default=",".join(SWEEPS), help="which of them (%(default)s)")
    parser.add_argument("--mode", choices=["train", "infer"], default="train")
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--out", default=os.path.join(ROOT, "build", "scaling"), help="folder (build/scaling)")
    parser.add_argument("--vitrail", default=os.path.join(ROOT, "build", "release", "vitrail"))
    parser.add_argument("--lock", help="a lock file held while a process runs, on a machine that others measure on, too")
    o = parser.parse_args()
    o.sweeps = o.sweeps.split(",")
    unknown = [name for name in o.sweeps if name not in SWEEPS]
    if unknown:
        parser.error("no such sweep: %s. There are %s" % (", ".join(unknown), ", ".join(SWEEPS)))
    if not os.path.exists(o.vitrail):
        parser.error("%s is not there: make build/release/vitrail" % o.vitrail)
    return o


def main():
    o = arguments()
    os.makedirs(o.out, exist_ok=True)
    results = {}
    with tempfile.TemporaryDirectory() as folder, open(os.path.join(o.out, "scaling.csv"), "w", newline="") as file:
        table = None
        for key in o.sweeps:
            results[key] = []
            for value in getattr(o, key) or SWEEPS[key]:
                row = measure(dict(BASE, **{key: value}), o, folder)
                results[key].append(row)
                if table is None:
                    table = csv.DictWriter(file, ["sweep"] + list(row))
                    table.writeheader()
                table.writerow(dict(row, sweep=key))
                file.flush()
                print("%-8s %4d: %9.1f ms, %8.1f images/s, %6.1f GFLOP/s, tensors %7.1f MB" %
                      (key, value, row["ms"], row["images_per_second"], row["gflops"], row["tensor_mb"]), flush=True)
            for measure_key, label, _ in MEASURES:
                fit = exponent(results[key], key, measure_key)
                if fit:
                    print("%-8s %s grows with exponent %.2f" % (key, label.rstrip(","), fit[0]), flush=True)
            with open(os.path.join(o.out, "scaling.svg"), "w") as picture:
                picture.write(plot(results, o))
    print("%s/scaling.csv, scaling.svg" % o.out)


if __name__ == "__main__":
    main()
