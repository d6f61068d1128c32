#!/usr/bin/env python3
# Makes resize.txt: checksums of Pillow's resized pictures, for tests/data/image/resample_test.cpp. Run it with two versions:
#   python_with_pillow_9.4 make_pillow.py first.txt; python_with_pillow_13 make_pillow.py second.txt
#   paste -d' ' first.txt second.txt | awk '{ print $1, $2, $3, $4, $5, $6, $12 }' > resize.txt
# A line: height, width, new height, new width, filter, CRC-32 of the bytes of Pillow 9.4, and of Pillow 13.0.
import sys, zlib
from PIL import Image

FILTERS = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
state = 1


def draw(below):  # the generator that C's standard prints as an example
    global state
    state = (state * 1103515245 + 12345) % 2**31
    return (state >> 16) % below


def picture(h, w):  # noise and stripes of full contrast: overshoot must be cut off
    data = bytes(255 * (x // 3 % 2) if y % 7 < 3 else (x * 7919 + y * 104729 + x * y * 31) // 5 % 256 for y in range(h) for x in range(w))
    return Image.frombytes("L", (w, h), data)


out = open(sys.argv[1], "w")
for case in range(1500):
    most = 40 if case % 5 else 200
    h, w, new_h, new_w = (1 + draw(most) for _ in range(4))
    if case % 11 == 0: new_h = h
    if case % 13 == 0: new_w = w
    if case % 17 == 0: h = 1 + draw(3)
    name = FILTERS[case % 6]
    y = picture(h, w).resize((new_w, new_h), getattr(Image.Resampling, name.upper()))
    print(h, w, new_h, new_w, name, "%08x" % zlib.crc32(y.tobytes()), file=out)
