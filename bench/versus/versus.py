#!/usr/bin/env python3
"""Compares our program with PyTorch and onnxruntime: same shapes, same threads, in turn A B C A B C.

Every measurement is a process of its own: build the model, warm up, time the steps, print the median. After the last round the
tables show medians over the rounds, and medians of the ratios (their time / ours, taken within a round). bench/README.md.
"""
import argparse
import contextlib
import fcntl
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile

from works import WORKS

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
GET_TORCH = """no python with PyTorch was found. To get one:
    apt-get install python3-torch                     (Debian's, found as /usr/bin/python3)
    python3 -m venv newest && newest/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
    make versus ARGS="--torch-python newest/bin/python ..." """
GET_ONNX = """no python with onnxruntime was found: newest/bin/pip install onnxruntime onnx
    (in the same venv as the newest PyTorch, or name another with --onnx-python)"""


def note(text):
    print("versus: " + text, file=sys.stderr, flush=True)


# ---- what there is -------------------------------------------------------------------------------------------------------


def module_version(python, module):
    """The version of a python's module, or None."""
    code = "import %s; print(%s.__version__)" % (module, module)
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, env=partner_env(1), timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


PARTNER_ENV = {}  # --partner-env


def partner_env(threads):
    """The environment of a partner: as its user would run it, without our tuning variables, plus --partner-env."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "OMP_", "GOMP_", "MKL_", "BLIS_"))}
    env["OMP_NUM_THREADS"] = str(threads)
    return dict(env, **PARTNER_ENV)


def find_partners(o):
    """[(title, kind, python)] of everything that can run here; says what is missing."""
    torches = [(python, module_version(python, "torch")) for python in o.torch_python]
    for python, version in torches:
        if version is None:
            note(python + " has no PyTorch")
    found = [("PyTorch " + version, "torch", python) for python, version in torches if version]
    if not found:
        note(GET_TORCH)
    candidates = o.onnx_python + [python for _, _, python in found]
    onnx = next(((python, v) for python in candidates for v in [module_version(python, "onnxruntime")] if v), None)
    if onnx:
        found.append(("onnxruntime " + onnx[1], "onnx", onnx[0]))
    else:
        note(GET_ONNX)
    return found


def machine():
    model = ""
    with open("/proc/cpuinfo") as file:
        info = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines() if ":" in line)
    info = {k.strip(): v.strip() for k, v in info.items()}
    flags = info.get("flags", "").split()
    model = "%s (family %s, model %s)" % (info.get("model name", "?"), info.get("cpu family"), info.get("model"))
    vector = [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in flags]
    return "%s, %d processors usable, %s, Linux %s" % (model, len(os.sched_getaffinity(0)), " ".join(vector), platform.release())


# ---- one process ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(path):
    """Holds a lock file while one process runs, so that several users of a machine can measure in turn."""
    if not path:
        yield
        return
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(command, env, o):
    """The JSON that the command printed last, or None with the reason on standard error."""
    try:
        with locked(o.lock):
            done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=o.timeout)
    except OSError as error:
        note("%s: %s" % (command[0], error.strerror))
        return None
    except subprocess.TimeoutExpired:
        note("took more than --timeout %d s: %s" % (o.timeout, shlex.join(command)))
        return None
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        note("failed (%d): %s\n    %s" % (done.returncode, shlex.join(command), last))
        return None
    return json.loads(done.stdout)


class Case:
    """One row group of the table: a work in one mode, precision and batch size."""

    def __init__(self, name, mode, precision, batch, o):
        self.name, self.mode, self.precision, self.o = name, mode, precision, o
        self.work = WORKS[name]
        self.batch = batch or self.work["batch"]
        self.steps = o.steps or self.work["steps"] * (1 if mode == "train" else 2 if self.batch > 1 else 10)
        self.title = "%s, %s, %s, batch %d" % (self.work["title"], "training step" if mode == "train" else "inference",
                                               precision, self.batch)

    def common(self):
        return ["--threads", str(self.o.threads), "--steps", str(self.steps), "--warmup", str(self.o.warmup)]

    def ours(self, program, folder):
        env = dict(os.environ, OMP_NUM_THREADS=str(self.o.threads))
        if self.work["kind"] == "conv":
            if "OMP_WAIT_POLICY" not in env:
                env.setdefault("GOMP_SPINCOUNT", "2000")  # as tensor/machine/waiting.cpp sets it
            bench = os.path.join(os.path.dirname(program), "bench", "conv2d")
            command = [bench, "--json", "--batch-size", str(self.batch), "--mode", self.mode] + self.common()
            if self.precision != "f32":
                return None
        else:
            config = os.path.join(folder, self.name + ".json")
            with open(config, "w") as file:
                json.dump(dict(self.work["vit"], architecture="vit"), file)
            command = [program, "bench", "--json", "--model", config, "--batch-size", str(self.batch), "--mode", self.mode,
                       "--precision", self.precision] + self.common()
        out = run(command, env, self.o)
        if out is None:
            return None
        step = out["step_ms"]
        return dict(median_s=step["median"] / 1e3, peak_rss_mb=out["peak_rss_bytes"] / 2**20,
                    base_rss_mb=out["base_rss_bytes"] / 2**20, tensor_mb=out["peak_tensor_bytes"] / 2**20)

    def torch(self, python, _):
        command = [python, os.path.join(HERE, "torch_worker.py"), "--work", self.name, "--batch", str(self.batch), "--mode",
                   self.mode, "--precision", self.precision]
        return run(command + self.common(), partner_env(self.o.threads), self.o)

    def onnx(self, python, folder):
        if self.mode != "infer" or self.work["kind"] != "vit":
            return None
        path = os.path.join(folder, "%s-%d.onnx" % (self.name, self.batch))
        if not os.path.exists(path) and not self.export(path):
            note("no PyTorch here could export %s" % os.path.basename(path))
            return None
        command = [python, os.path.join(HERE, "onnx_worker.py"), "--model", path]
        return run(command + self.common(), partner_env(self.o.threads), self.o)

    def export(self, path):
        for python in self.o.torch_python:
            command = [python, os.path.join(HERE, "torch_worker.py"), "--work", self.name, "--batch", str(self.batch),
                       "--export", path]
            subprocess.run(command, capture_output=True, env=partner_env(self.o.threads))
            if os.path.exists(path):
                return True
        return False


# ---- all rounds, and the tables ------------------------------------------------------------------------------------------


def measure(case, partners, folder):
    """{title: [result of each round or None]}"""
    results = {title: [] for title, _, _ in partners}
    for turn in range(case.o.rounds):
        for title, kind, path in partners:
            failed = results[title] and results[title][-1] is None
            result = None if failed else getattr(case, kind)(path, folder)
            results[title].append(result)
            if result:
                note("%s, round %d: %s %.1f ms" % (case.title, turn + 1, title, 1e3 * result["median_s"]))
    return results


def table(case, results):
    base = next(iter(results.values()))
    lines = ["", "### " + case.title, "",
             "| | median of %d rounds | images/s | time / first row | peak memory | above the start |" % case.o.rounds,
             "|---|---|---|---|---|---|"]
    for title, rounds in results.items():
        good = [r for r in rounds if r]
        if not good:
            continue
        seconds = statistics.median(r["median_s"] for r in good)
        ratios = [r["median_s"] / b["median_s"] for r, b in zip(rounds, base) if r and b]
        ratio = "%.2f (%.2f to %.2f)" % (statistics.median(ratios), min(ratios), max(ratios)) if ratios else ""
        peak = max(r["peak_rss_mb"] for r in good)
        above = max(r["peak_rss_mb"] - r["base_rss_mb"] for r in good)
        memory = "%.0f MB" % peak + (", tensors %.0f" % max(r["tensor_mb"] for r in good) if "tensor_mb" in good[0] else "")
        lines.append("| %s | %.1f ms | %.1f | %s | %s | %.0f MB |" %
                     (title, 1e3 * seconds, case.batch / seconds, ratio if rounds is not base else "1", memory, above))
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    listed = lambda text: text.split(",")
    parser.add_argument("--works", type=listed, default=["ti", "s", "small"], help=", ".join(WORKS) + " (ti,s,small)")
    parser.add_argument("--mode", type=listed, default=["train"], help="train,infer (train)")
    parser.add_argument("--precision", type=listed, default=["f32"], help="f32,bf16 (f32)")
    parser.add_argument("--batch", type=lambda t: [int(x) for x in t.split(",")], default=[0], help="instead of the work's own")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=0, help="timed steps of one process (by work)")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ours", action="append", metavar="NAME=PROGRAM", help="a build of vitrail; may be given several times: "
                        "before=old/build/release/vitrail (vitrail=build/release/vitrail)")
    parser.add_argument("--torch-python", action="append", default=[], help="a python that has PyTorch; may be given several times")
    parser.add_argument("--onnx-python", action="append", default=[], help="a python that has onnxruntime")
    parser.add_argument("--only", type=listed, default=[], help="partners whose title holds one of these: torch, onnx, 2.13; none")
    parser.add_argument("--partner-env", action="append", default=[], metavar="NAME=VALUE",
                        help="for all partners, as OMP_WAIT_POLICY=passive where spinning threads slow a partner down")
    parser.add_argument("--timeout", type=int, default=900, help="seconds that one process may take")
    parser.add_argument("--lock", help="a lock file held while a process runs, on a machine that others measure on, too")
    parser.add_argument("--json", metavar="FILE", help="all rounds of all cases")
    o = parser.parse_args()
    unknown = [w for w in o.works if w not in WORKS] + [m for m in o.mode if m not in ("train", "infer")]
    unknown += [p for p in o.precision if p not in ("f32", "bf16")]
    if unknown or o.rounds < 1:
        parser.error("not known: %s" % ", ".join(unknown) if unknown else "--rounds must be at least 1")
    PARTNER_ENV.update(pair.split("=", 1) for pair in o.partner_env if "=" in pair)
    o.torch_python = list(dict.fromkeys(["/usr/bin/python3"] + o.torch_python))
    return o


def our_programs(o):
    programs = [text.split("=", 1) if "=" in text else ["vitrail", text] for text in o.ours or []]
    programs = programs or [["vitrail", os.path.join(ROOT, "build", "release", "vitrail")]]
    for _, path in programs:
        if not os.path.exists(path):
            note("%s is not there: make %s" % (path, os.path.relpath(path, ROOT)))
    return [(title, "ours", path) for title, path in programs if os.path.exists(path)]


def main():
    o = arguments()
    others = find_partners(o)
    if o.only:
        others = [p for p in others if any(word.lower() in p[0].lower() for word in o.only)]
    partners = our_programs(o) + others
    if not partners:
        return 1
    print("%s\n\n%s; %d threads, %d rounds, warm-up %d steps. Wait policy of ours: %s.\n" %
          (shlex.join(["make", "versus", "ARGS=" + shlex.join(sys.argv[1:])]), machine(), o.threads, o.rounds, o.warmup,
           os.environ.get("OMP_WAIT_POLICY") or os.environ.get("GOMP_SPINCOUNT") or "the program's own"), flush=True)
    everything = []
    with tempfile.TemporaryDirectory() as folder:
        for name in o.works:
            for mode, precision, batch in [(m, p, b) for m in o.mode for p in o.precision for b in o.batch]:
                case = Case(name, mode, precision, batch, o)
                results = measure(case, partners, folder)
                print(table(case, results), flush=True)
                everything.append(dict(case=case.title, results=results))
    if o.json:
        with open(o.json, "w") as file:
            json.dump(everything, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
