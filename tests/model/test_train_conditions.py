"""Training with the error rates of a file of write conditions."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from spinflow.host.core.errors import InputError
from spinflow.model import train
from spinflow.model.training.conditions import rates_of
from spinflow.model.training.write_errors import map_names, parse_rates, weight_names
from spinflow.model.zoo import network

FILE = """
[conditions]
"conv1.weights" = "exponential:pulse=68.156ns"
"pool0.buffer" = "exponential:pulse=34.078ns"
"fc0.buffer" = "exponential:pulse=34.078ns,tau0_s=7.4e-9"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "conditions.toml"
    path.write_text(FILE)
    return path


def test_rates_are_those_of_the_conditions(file: Path) -> None:
    spec = network("lenet-mnist")
    fields = rates_of(file, spec)
    weights = parse_rates(fields["weight_errors"], weight_names(spec))
    maps = parse_rates(fields["activation_errors"], map_names(spec))
    assert list(weights) == ["conv1"] and list(maps) == ["pool0", "fc0"]
    # exp(-t / tau) of a pulse and of half of it, with tau of 14.8 ns and half of that for zeros.
    assert weights["conv1"].one.low == pytest.approx(math.exp(-68.156 / 14.8), rel=1e-6)
    assert weights["conv1"].zero == weights["conv1"].one
    assert maps["pool0"].one.high == pytest.approx(math.exp(-34.078 / 14.8), rel=1e-6)
    assert maps["fc0"].zero.low == pytest.approx(math.exp(-34.078 / 7.4), rel=1e-6)


def test_the_command_takes_a_file(file: Path, tmp_path: Path) -> None:
    words = ["lenet-mnist", "--out", str(tmp_path / "out"), "--conditions", str(file)]
    chosen = train._chosen(train._parser().parse_args(words))
    assert chosen["weight_errors"].startswith("conv1=0.01")
    with pytest.raises(ValueError, match="--weight-errors together with --conditions"):
        train._chosen(train._parser().parse_args([*words, "--weight-errors", "1e-2"]))


def test_another_networks_memories_are_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"mlp-mnist has no memory conv1\.weights: fc0\.weights"):
        rates_of(file, network("mlp-mnist"))
    file.write_text(f'network = "mlp-mnist"\n{FILE}')
    with pytest.raises(InputError, match=f"{file}: the conditions are of mlp-mnist, not of lenet"):
        rates_of(file, network("lenet-mnist"))
    with pytest.raises(InputError, match="gone"):
        rates_of(tmp_path / "gone.toml", network("mlp-mnist"))
