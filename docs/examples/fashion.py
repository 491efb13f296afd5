"""A network of one's own, 784-300-100-10: `python docs/examples/fashion.py` trains it.

A pixel x is taken as 2x/255-1. Any torch code that gives a Brevitas module does.
"""

from itertools import pairwise

import brevitas.nn as qnn
import torch
from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from torch import nn

WIDTHS = (784, 300, 100, 10)


class Net(nn.Sequential):
    """Signs between matrices of +1 and -1, a batch norm before each sign."""

    def __init__(self):
        layers = [nn.Flatten(), qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst)]
        for inputs, outputs in pairwise(WIDTHS):
            binary = SignedBinaryWeightPerTensorConst
            layers.append(qnn.QuantLinear(inputs, outputs, bias=False, weight_quant=binary))
            layers.append(nn.BatchNorm1d(outputs))
            layers.append(qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst))
        super().__init__(*layers[:-1])


def train(net, images, labels, epochs=3, batch=100):
    """Train on images (n, channels, rows, columns) of -1 to 1 and their labels, by Adam."""
    steps = epochs * len(images) // batch
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, max(steps, 2))
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(batch):
            loss = nn.functional.cross_entropy(net(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


if __name__ == "__main__":
    from spinflow.model.data import dataset

    data = dataset("fashion-mnist")
    pixels = torch.tensor(data.train_images)[:, None].float() / 127.5 - 1
    trained = train(Net(), pixels, torch.tensor(data.train_labels).long())
    torch.save(trained.state_dict(), "fashion.pt")
