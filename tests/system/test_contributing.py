"""What CONTRIBUTING.md promises: each thing that is added is one file, and everything knows it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

NETWORK = """
kind = "perceptron"
dataset = "mnist"
widths = [784, 24, 10]
input_threshold = 64
logit_scale = 0.25

[hardware]
cycles = 784

[recipe]
epochs = 1
"""

MODEL = '''
"""A junction whose every write fails equally often."""

import dataclasses
from typing import ClassVar

import numpy as np

from spinflow.host.mtj.base import Model


@dataclasses.dataclass(frozen=True)
class Constant(Model):
    name: ClassVar[str] = "constant"
    drive_unit: ClassVar[str] = "V"
    drive_name: ClassVar[str] = "voltage"
    rate: float = 0.25

    @property
    def nominal_drive(self):
        return 0.5

    def error_rate(self, drive, pulse_s, direction=1):
        return np.full(np.broadcast(pulse_s, direction).shape, self.rate)

    def pulse_for(self, rate, drive=None, direction=1):
        return np.full(np.broadcast(rate, direction).shape, 1e-9)

    def drive_for(self, rate, pulse_s, direction=1):
        return np.full(np.broadcast(rate, pulse_s, direction).shape, 0.5)

    def energy_per_bit(self, drive, pulse_s, direction=1, switched=True):
        return np.full(np.broadcast(pulse_s, direction, switched).shape, 1e-12)
'''


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources of two rooms, to which a file may be added."""
    no_weights = shutil.ignore_patterns("*.safetensors", "__pycache__")
    for room in ("host", "model"):
        shutil.copytree(REPOSITORY / room, tmp_path / room, ignore=no_weights)
    shutil.copy(REPOSITORY / "spinflow.py", tmp_path)
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_network_is_one_file(copy: Path) -> None:
    (copy / "model" / "zoo" / "small-mnist.toml").write_text(NETWORK)
    for end in ("safetensors", "json"):
        (copy / "model" / "zoo" / f"small-mnist.{end}").touch()
    said = run(copy, "-m", "spinflow.model.zoo", "small-mnist").splitlines()
    lists = dict(line.split(":=") for line in said)
    assert (lists["DATASET"], lists["DEFAULT_IMAGES"]) == ("mnist", "500")
    run(
        copy,
        "-m",
        "spinflow.model.export",
        "small-mnist",
        "--untrained",
        "1",
        "--out",
        "model.onnx",
    )
    facts = json.loads((copy / "model.json").read_text())
    assert (facts["network"], facts["dataset"], facts["cycles"]) == ("small-mnist", "mnist", 784)
    assert "small-mnist" in run(copy, "-m", "spinflow.model.train", "--help")


def test_a_device_model_is_one_file(copy: Path) -> None:
    (copy / "host" / "mtj" / "constant.py").write_text(MODEL)
    program = (
        "from spinflow.host.sweep.operating_point import point_of_write_condition as point;"
        "found = point('constant:pulse=5ns,rate=0.125');"
        "print(found.model, found.rate1, found.costs.switched1_j)"
    )
    assert run(copy, "-c", program).split() == ["constant:rate=0.125", "0.125", "1e-12"]
