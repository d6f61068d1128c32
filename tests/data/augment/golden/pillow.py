# Wrote pillow.safetensors: pictures changed by Pillow, to which the operations of data/augment are compared to the
# byte. python3 pillow.py, with Pillow 12.3 and safetensors. Names: "input operation numbers".
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from safetensors.numpy import save_file

rng = np.random.default_rng(5)
smooth = np.clip(np.add.outer(np.arange(9) * 13, np.arange(11) * 11)[..., None] + np.array([0, 40, -30]) + rng.integers(-20, 20, (9, 11, 3)), 0, 255)
inputs = {
    "colour": rng.integers(0, 256, (9, 11, 3), dtype=np.uint8),
    "smooth": smooth.astype(np.uint8),
    "grey": rng.integers(30, 200, (7, 8, 1), dtype=np.uint8),
}
out = {}


def picture(a):
    return Image.fromarray(a[..., 0] if a.shape[2] == 1 else a)


def keep(name, image):
    a = np.asarray(image)
    out[name] = np.ascontiguousarray((a[None] if a.ndim == 2 else a.transpose(2, 0, 1)).astype(np.uint8))



# As torchvision's adjust_hue does it over Pillow's HSV.
def hue(image, shift):
    if image.mode == "L":
        return image
    h, s, v = image.convert("HSV").split()
    h = Image.fromarray((np.asarray(h).astype(np.int32) + int(shift * 255)).astype(np.uint8))
    return Image.merge("HSV", (h, s, v)).convert("RGB")


def gray(image):
    return image if image.mode == "L" else image.convert("L").convert("RGB")


FILTERS = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
for name, pixels in inputs.items():
    image = picture(pixels)
    fill = (10, 100, 200) if image.mode == "RGB" else 77
    keep(f"{name} input", image)
    for f in (0.0, 0.1, 0.55, 1.0, 1.37, 1.9):
        keep(f"{name} brightness {f}", ImageEnhance.Brightness(image).enhance(f))
        keep(f"{name} contrast {f}", ImageEnhance.Contrast(image).enhance(f))
        keep(f"{name} saturation {f}", ImageEnhance.Color(image).enhance(f))
        keep(f"{name} sharpness {f}", ImageEnhance.Sharpness(image).enhance(f))
    for h in (-0.5, -0.37, -0.1, 0.05, 0.4):
        keep(f"{name} hue {h}", hue(image, h))
    keep(f"{name} grayscale", gray(image))
    keep(f"{name} invert", ImageOps.invert(image))
    keep(f"{name} autocontrast", ImageOps.autocontrast(image))
    keep(f"{name} equalize", ImageOps.equalize(image))
    for t in (0, 25.5, 128, 256):
        keep(f"{name} solarize {t}", ImageOps.solarize(image, t))
    for b in (1, 3, 4, 8):
        keep(f"{name} posterize {b}", ImageOps.posterize(image, b))
    for s in (0.1, 0.5, 1.0, 1.7, 2.0, 6.5):
        keep(f"{name} blur {s}", image.filter(ImageFilter.GaussianBlur(radius=s)))
    for word, filter in FILTERS.items():
        for angle in (-135.0, -17.3, 9.5, 90.0, 180.0, 31.7):
            keep(f"{name} rotate {word} {angle}", image.rotate(angle, filter, fillcolor=fill))
        for m in (-0.99, -0.27, 0.3, 0.66):
            keep(f"{name} shear_x {word} {m}", image.transform(image.size, Image.AFFINE, (1, m, 0, 0, 1, 0), filter, fillcolor=fill))
            keep(f"{name} shear_y {word} {m}", image.transform(image.size, Image.AFFINE, (1, 0, 0, m, 1, 0), filter, fillcolor=fill))
        for t in (-3.0, 2.0, 0.45 * 11, -1.25):
            keep(f"{name} translate {word} {t}", image.transform(image.size, Image.AFFINE, (1, 0, t, 0, 1, -t), filter, fillcolor=fill))
# The same large picture of every colour: the hue is where roundings show.
cube = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3, indexing="ij"), -1).reshape(18, -1, 3).astype(np.uint8)
keep("cube input", picture(cube))
for h in (-0.2, 0.0, 0.5):
    keep(f"cube hue {h}", hue(picture(cube), h))
keep("cube grayscale", gray(picture(cube)))
keep("cube saturation 0.7", ImageEnhance.Color(picture(cube)).enhance(0.7))
# Without a fill value: black.
image = picture(inputs["smooth"])
keep("smooth translate_x nearest0 -5", image.transform(image.size, Image.AFFINE, (1, 0, -5, 0, 1, 0), Image.NEAREST))
keep("smooth rotate nearest0 58.5", image.rotate(58.5))
save_file(out, "pillow.safetensors")
print(len(out), "pictures")
