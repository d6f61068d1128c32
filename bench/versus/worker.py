"""What every worker does: time steps after a warm-up, and print one line of JSON."""
import json
import statistics
import time


def status_mb(key):
    """VmHWM (highest) or VmRSS (now) of this process. ru_maxrss would count the parent of the fork, too."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
    return 0.0


def report(step, steps, warmup, version, base_mb):
    for _ in range(warmup):
        step()
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    print(json.dumps(dict(median_s=statistics.median(seconds), min_s=min(seconds), max_s=max(seconds), version=version,
                          peak_rss_mb=status_mb("VmHWM"), base_rss_mb=base_mb)))
