#!/usr/bin/env python3
"""Fine-tuning a ViT on a folder of pictures, end to end: `vitrail finetune` and a plain PyTorch loop, eager and compiled, in turn.

    bench/versus/finetune.py --program build/release/vitrail --from RUN --data FOLDER --python venv/bin/python

FOLDER has a folder a class; RUN is any ViT-S/16 (or that of --work) that vitrail opens. Every measurement is a process of one epoch. Prints medians over the
rounds, and medians of the ratios within a round. The rate leaves the first step out, in which PyTorch compiles; peak memory is VmHWM.
"""
import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def environment(threads):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "OMP_", "GOMP_", "MKL_", "BLIS_"))}
    return dict(env, OMP_NUM_THREADS=str(threads))


def ours(o, precision):
    """images per second of training, and peak memory in MB, of `vitrail finetune`."""
    with tempfile.TemporaryDirectory() as out:
        command = [o.program, "finetune", "--from", o.start, "--data", o.data, "--out", out + "/run", "--mode", "full", "--epochs", "1",
                   "--head-epochs", "0", "--batch-size", str(o.batch), "--lr", "5e-5", "--weight-decay", "0.05", "--label-smoothing", "0.1", "--clip-norm", "1",
                   "--crop-scale", "0.35", "--mirror", "true", "--mixup", "0", "--cutmix", "0", "--ema", "0", "--drop-path", "0",
                   "--layer-decay", "1", "--save-every", "0", "--save-minutes", "0", "--precision", precision, "--threads", str(o.threads), "--quiet"]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=sys.stderr, env=environment(o.threads))
        _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            sys.exit("vitrail finetune failed")
        peak = usage.ru_maxrss / 1024
        with open(out + "/run/metrics.csv") as file:
            last = list(csv.DictReader(file))[-1]
        return dict(images_per_s=float(last["images_per_second"]), peak_rss_mb=peak, version="vitrail " + precision)


def theirs(o, compiled):
    command = [o.python, os.path.join(HERE, "torch_finetune.py"), "--data", o.train, "--work", o.work, "--batch", str(o.batch), "--threads", str(o.threads)]
    done = subprocess.run(command + (["--compile"] if compiled else []), capture_output=True, text=True, env=environment(o.threads))
    if done.returncode != 0:
        sys.exit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/vitrail")
    parser.add_argument("--from", dest="start", required=True)
    parser.add_argument("--data", required=True, help="train/ and val/ inside, each with a folder a class")
    parser.add_argument("--python", required=True, help="a python with PyTorch 2, Pillow and NumPy")
    parser.add_argument("--work", default="s")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-bf16", action="store_true", help="for processors that have no bf16 products")
    o = parser.parse_args()
    o.train = os.path.join(o.data, "train")
    ways = [("vitrail, f32", lambda: ours(o, "f32"))]
    if not o.without_bf16:
        ways.append(("vitrail, bf16", lambda: ours(o, "bf16")))
    ways += [("PyTorch, eager", lambda: theirs(o, False)), ("PyTorch, compiled", lambda: theirs(o, True))]
    rounds = []
    for number in range(o.rounds):
        rounds.append([way() for _, way in ways])
        print("round %d: %s" % (number + 1, ", ".join("%.1f" % r["images_per_s"] for r in rounds[-1])), file=sys.stderr, flush=True)
    print("| | images per second | ours (f32) is faster by | peak memory, MB | ours (f32) needs |\n|---|---|---|---|---|")
    for i, (name, _) in enumerate(ways):
        rate = statistics.median(r[i]["images_per_s"] for r in rounds)
        peak = statistics.median(r[i]["peak_rss_mb"] for r in rounds)
        faster = statistics.median(r[0]["images_per_s"] / r[i]["images_per_s"] for r in rounds)
        less = statistics.median(r[0]["peak_rss_mb"] / r[i]["peak_rss_mb"] for r in rounds)
        print("| %s | %.1f | %.2f x | %.0f | %.2f of it |" % (name, rate, faster, peak, less))


if __name__ == "__main__":
    main()
