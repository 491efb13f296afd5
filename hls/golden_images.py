"""The images of a bundle's golden values: made, so that a bundle needs no data set.

The first two are all dark and all light. The tests run real images as well.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PERCEPTRON_IMAGES = 32
CONVOLUTION_IMAGES = 8
SEED = 20190401

Images = npt.NDArray[np.uint8]
"""Images, uint8, shape (n, pixels)."""


def images_at_threshold(
    pixels: int, threshold: int, codes: npt.NDArray[np.uint8] | None = None
) -> Images:
    """Return images of random shapes of light, with pixels at and around the threshold among them.

    Args:
        pixels: of an image.
        threshold: least value that is light.
        codes: what the network makes of each byte first, shape (256,); the byte itself if None.
    """
    random = np.random.default_rng(SEED)
    share = np.linspace(0, 1, PERCEPTRON_IMAGES)[:, None]
    light = random.random((PERCEPTRON_IMAGES, pixels)) < share
    # A threshold may be such that no pixel reaches it, or every one does.
    least, most = (min(max(threshold, low), high) for low, high in ((1, 256), (0, 255)))
    dark_values = random.integers(0, least, light.shape)
    light_values = random.integers(most, 256, light.shape) if threshold < 256 else dark_values
    images = np.where(light, light_values, dark_values)
    if codes is not None:  # bytes whose codes come closest
        distances = np.abs(np.arange(256)[:, None] - codes.astype(int))
        images = distances.argmin(axis=1)[images]
    return images.astype(np.uint8)


def natural_images(shape: tuple[int, ...]) -> Images:
    """Return images with the large and small shapes of photographs: slopes, patches, edges, noise.

    Args:
        shape: rows, columns and channels.
    """
    random = np.random.default_rng(SEED)
    rows, columns, channels = shape
    y, x = np.mgrid[0:rows, 0:columns] / max(rows, columns)
    images = [np.zeros(shape), np.full(shape, 255.0)]
    while len(images) < CONVOLUTION_IMAGES:
        slope = random.uniform(-150, 150, (2, channels))
        image = random.uniform(0, 255, channels) + y[..., None] * slope[0] + x[..., None] * slope[1]
        for _ in range(int(random.integers(1, 6))):
            angle = random.uniform(0, 2 * np.pi)
            across = (y - random.random()) * np.sin(angle) + (x - random.random()) * np.cos(angle)
            disc = np.hypot(y - random.random(), x - random.random()) < random.uniform(0.05, 0.4)
            inside = disc if random.random() < 0.5 else np.abs(across) < random.uniform(0.02, 0.2)
            image[inside] = random.uniform(0, 255, channels)
        images.append(image + random.normal(0, random.uniform(0, 30), shape))
    stack: Images = np.clip(np.rint(np.stack(images)), 0, 255).astype(np.uint8)
    return stack.reshape(len(images), -1)
