"""A small convolutional network for a folder of pictures, one folder for each class.

    python docs/examples/pictures.py FOLDER     trains it, and writes pictures.pt

A pixel x is taken as x/255.
"""

import sys
from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from PIL import Image
from torch import nn

CLASSES = 100


class Net(nn.Sequential):
    """Two convolutions with pools on 20 x 20 pixels of three colours, two matrices behind."""

    def __init__(self):
        binary = {"bias": False, "weight_quant": SignedBinaryWeightPerTensorConst}
        super().__init__(
            *(qnn.QuantConv2d(3, 32, 3, **binary), nn.BatchNorm2d(32), sign(), nn.MaxPool2d(2)),
            *(qnn.QuantConv2d(32, 48, 3, **binary), nn.BatchNorm2d(48), sign(), nn.MaxPool2d(2)),
            *(nn.Flatten(), qnn.QuantLinear(48 * 9, 256, **binary), nn.BatchNorm1d(256), sign()),
            *(qnn.QuantLinear(256, CLASSES, **binary), nn.BatchNorm1d(CLASSES)),
        )


def sign():
    """Return a layer that makes +1 and -1."""
    return qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst)


def pictures(folder):
    """Return pictures (n, 3, rows, columns) of 0 to 1, and the number of each one's class."""
    images, labels = [], []
    for number, each in enumerate(sorted(path for path in Path(folder).iterdir() if path.is_dir())):
        for path in sorted(each.iterdir()):
            images.append(np.asarray(Image.open(path).convert("RGB")))
            labels.append(number)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255, torch.tensor(labels)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from fashion import train

    trained = train(Net(), *pictures(sys.argv[1]), epochs=6)
    torch.save(trained.state_dict(), "pictures.pt")
