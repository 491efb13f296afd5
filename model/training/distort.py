"""Random changes of training images: shift, rotation and zoom, or crop and mirror."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from spinflow.model.networks.graph import Spec
from spinflow.model.training.recipe import Recipe


def distort(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Move each image of a batch at random: shift, turn and zoom it, or crop and mirror it.

    Args:
        images: float or uint8, shape (n, rows, columns, channels), pixels 0 to 255.
        recipe: gives the largest distortions; where all are 0 the images are returned as they are.
        generator: source of the random numbers.

    Returns:
        Of the same shape, pixels 0 to 255. Shift, turn and zoom sample bilinearly and give floats.
    """
    (n, rows, columns, _), device = images.shape, images.device
    if recipe.crop or recipe.flip:
        reach = 2 * recipe.crop + 1
        # Drawn on the CPU, so that the images are the same on every device.
        down, right = (
            torch.randint(0, reach, (n, 1), generator=generator).to(device) for _ in range(2)
        )
        mirrored = (torch.rand(n, 1, generator=generator) < 0.5).to(device)
        row, column = torch.arange(rows, device=device), torch.arange(columns, device=device)
        row = (row + down - recipe.crop).clamp(0, rows - 1)
        if recipe.flip:
            column = torch.where(mirrored, columns - 1 - column, column)
        column = (column + right - recipe.crop).clamp(0, columns - 1)
        each = torch.arange(n, device=device)
        images = images[each[:, None, None], row[:, :, None], column[:, None, :]]
    if recipe.shift == recipe.rotate == recipe.zoom == 0.0:
        return images
    u = (2.0 * torch.rand(5, n, generator=generator) - 1.0).to(device)
    angle = u[0] * math.radians(recipe.rotate)
    wide, high = 1.0 + recipe.zoom * u[1], 1.0 + recipe.zoom * u[2]
    # Affine maps in grid_sample's coordinates, where the image spans [-1, 1].
    dx, dy = u[3] * recipe.shift * 2.0 / columns, u[4] * recipe.shift * 2.0 / rows
    cos, sin = torch.cos(angle), torch.sin(angle)
    affine = torch.stack([wide * cos, -high * sin, dx, wide * sin, high * cos, dy], dim=1)
    planes = images.permute(0, 3, 1, 2).float()
    grid = functional.affine_grid(affine.view(n, 2, 3), list(planes.shape), align_corners=False)
    sampled = functional.grid_sample(planes, grid, align_corners=False)
    return sampled.permute(0, 2, 3, 1)


def image_shape(spec: Spec) -> tuple[int, int, int]:
    """Return rows, columns and channels of a network's images; plain pixels form a square."""
    if len(spec.shape) == 3:
        return spec.shape
    side = math.isqrt(spec.pixels)
    return (side, side, 1) if side**2 == spec.pixels else (1, spec.pixels, 1)
