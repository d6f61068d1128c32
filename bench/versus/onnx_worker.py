"""One process of onnxruntime: loads an ONNX file that torch_worker.py --export wrote, times inference, prints one line of JSON."""
import argparse

import numpy
import onnxruntime

from worker import report, status_mb


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    o = parser.parse_args()
    base_mb = status_mb("VmRSS")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = o.threads, 1
    session = onnxruntime.InferenceSession(o.model, options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    images = numpy.random.default_rng(0).standard_normal(shape, dtype=numpy.float32)
    report(lambda: session.run(None, {"images": images}), o.steps, o.warmup, "onnxruntime " + onnxruntime.__version__, base_mb)


if __name__ == "__main__":
    main()
