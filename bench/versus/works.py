"""The works that are compared: the same shapes for every program."""


def vit(img_size, patch_size, embed_dim, depth, num_heads, num_classes=1000):
    return dict(img_size=img_size, patch_size=patch_size, embed_dim=embed_dim, depth=depth, num_heads=num_heads,
                num_classes=num_classes)


# Batch sizes are those of docs/results.md; steps: timed steps of one process, fewer where a step is long.
WORKS = {
    "ti": dict(title="ViT-Ti/16", kind="vit", vit=vit(224, 16, 192, 12, 3), batch=16, steps=5),
    "s": dict(title="ViT-S/16", kind="vit", vit=vit(224, 16, 384, 12, 6), batch=8, steps=5),
    "b": dict(title="ViT-B/16", kind="vit", vit=vit(224, 16, 768, 12, 12), batch=8, steps=3),
    "small": dict(title="32 x 32, patch 4, width 192, depth 6", kind="vit", vit=vit(32, 4, 192, 6, 3, 10), batch=64, steps=10),
    "resnet18-layers": dict(title="convolutions of ResNet-18 at 32 x 32", kind="conv", batch=32, steps=5),
}

# ResNet-18 (He et al., arXiv:1512.03385) with a 3 x 3 stem for 32 x 32 pixels, as on CIFAR:
# how often, input channels, output channels, side of the input, kernel, stride. Padding keeps the size. bench/conv2d.cpp has the same table.
CONV_LAYERS = [
    (1, 3, 64, 32, 3, 1),
    (4, 64, 64, 32, 3, 1),
    (1, 64, 128, 32, 3, 2),
    (3, 128, 128, 16, 3, 1),
    (1, 64, 128, 32, 1, 2),
    (1, 128, 256, 16, 3, 2),
    (3, 256, 256, 8, 3, 1),
    (1, 128, 256, 16, 1, 2),
    (1, 256, 512, 8, 3, 2),
    (3, 512, 512, 4, 3, 1),
    (1, 256, 512, 8, 1, 2),
]
