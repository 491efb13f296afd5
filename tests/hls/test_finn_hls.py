"""A network as FINN's own HLS units: C++ and Tcl of every layer, folded as the bundle is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spinflow.hls.paths import REPO
from spinflow.host.core import description
from spinflow.host.core.description import Product

BUNDLE = REPO / "build" / "tfc-mnist"


def finn_hls(bundle: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Run the command, in a process that knows none of our ops."""
    command = [sys.executable, "-m", "spinflow", "finn-hls", str(bundle), "--out", str(out)]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)


def copied(folder: Path, **changes: str) -> Path:
    """Return a folder with what the bundle says of itself alone, changed."""
    folder.mkdir()
    document = json.loads((BUNDLE / "accel.json").read_text())
    (folder / "accel.json").write_text(json.dumps(document | changes))
    return folder


@pytest.mark.slow
def test_every_layer_becomes_cpp(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = finn_hls(BUNDLE, out)
    assert done.returncode == 0, done.stderr
    described = description.read(BUNDLE)
    products = [layer for layer in described.layers if isinstance(layer, Product)]
    names = ["Thresholding_hls_0", *(f"MVAU_hls_{n}" for n in range(4)), "LabelSelect_hls_0"]
    assert done.stdout.startswith(f"6 layers as C++ in {out}: {', '.join(names)}")
    for name in names:
        (folder,) = out.glob(f"code_gen_ipgen_{name}_*")
        tcl = (folder / f"hls_syn_{name}.tcl").read_text()
        assert f'set config_proj_part "{described.part}"' in tcl
        assert f"set config_clkperiod {1000 / described.clock_mhz}" in tcl
        assert f"void {name}(" in (folder / f"top_{name}.cpp").read_text()
    for number, layer in enumerate(products):
        (folder,) = out.glob(f"code_gen_ipgen_MVAU_hls_{number}_*")
        text = (folder / f"top_MVAU_hls_{number}.cpp").read_text()
        defined = dict(re.findall(r"#define (\w+) (\d+)", text))
        assert [int(defined[f"{key}1"]) for key in ("MW", "MH", "PE", "SIMD")] == [
            layer.mw,
            layer.mh,
            layer.pe,
            layer.simd,
        ]
        assert "Recast<XnorMul>" in text
        assert (folder / "thresh.h").exists() == layer.threshold
    # Made again, it takes the place of what was there, from a bundle that lies elsewhere, too.
    elsewhere = copied(tmp_path / "elsewhere")
    assert finn_hls(elsewhere, out).returncode == 0
    assert len(list(out.glob("code_gen_ipgen_*"))) == len(names)


@pytest.mark.slow
def test_what_it_refuses(tmp_path: Path) -> None:
    filled = tmp_path / "mine"
    filled.mkdir()
    (filled / "thesis.txt").write_text("all of it")
    done = finn_hls(BUNDLE, filled)
    assert done.returncode == 1
    assert f"{filled} is there already and was not made by this command" in done.stderr
    assert (filled / "thesis.txt").exists()
    nameless = copied(tmp_path / "nameless", network="unheard-of")
    done = finn_hls(nameless, tmp_path / "out")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "spinflow export unheard-of makes it" in done.stderr
    missing = finn_hls(tmp_path / "none", tmp_path / "out")
    assert missing.returncode == 1 and len(missing.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.bundles
def test_a_convolution_is_refused(tmp_path: Path) -> None:
    done = finn_hls(REPO / "build" / "lenet-mnist", tmp_path / "out")
    assert done.stderr.startswith("spinflow: layer conv0 of lenet-mnist: only fully connected")
    assert not (tmp_path / "out").exists()
