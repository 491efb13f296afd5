"""Measure speeds side by side in one run: `make bench`, figures to out/bench/bench.json.

Ratios are what counts; the absolute figures are of the machine that ran it. Nothing here passes or
fails by a time.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from spinflow.host.core.sources import source_files
from spinflow.model.zoo import TESTED
from spinflow.sim.verilate import LENIENT
from tests.hw import runner

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "out/bench/bench.json"


def measured(*arguments: str) -> dict[str, Any]:
    """Run a module that prints a JSON object and nothing else, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def through_cocotb(bundle: Path) -> dict[str, Any]:
    """Return the images per second of the same accelerator under cocotb."""
    files = source_files(bundle)
    flags = ("--no-assert", *LENIENT, "-O3")
    folder = runner.build(f"bench-{bundle.name}", "accel", {}, files, flags)
    with tempfile.NamedTemporaryFile("r", suffix=".json") as out:
        environment = {"BENCH_BUNDLE": str(bundle), "BENCH_OUT": out.name}
        runner.run(folder, "accel", "tools.bench_cocotb", noise=False, extra_env=environment)
        figures: dict[str, Any] = json.load(out)
    return figures


def build_times(bundle: Path) -> dict[str, float]:
    """Return how long a bundle takes from the trained network, in s: FINN, then Verilator."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / bundle.name
        source.mkdir()
        for name in ("model.onnx", "model.json"):
            shutil.copyfile(bundle / name, source / name)
        seconds = {}
        commands = {
            "bundle_s": ("bundle", bundle.name, "--out", str(source)),
            "simulator_s": ("simulator", str(source)),
        }
        for what, words in commands.items():
            start = time.perf_counter()
            command = [sys.executable, "-m", "spinflow", *words]
            subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
            seconds[what] = time.perf_counter() - start
    return seconds


def main() -> None:
    """Measure everything, print a table and write the file."""
    bench: dict[str, Any] = {"machine": {"processor": platform.machine(), "cores": os.cpu_count()}}
    for network in TESTED:
        bundle = ROOT / "build" / network
        driver = measured("tools.bench_driver", str(bundle))
        boards = measured("tools.bench_boards", str(bundle))
        cocotb = through_cocotb(bundle)
        ratio = driver["images_per_s"] / cocotb["images_per_s"]
        built = build_times(bundle)
        bench[network] = {
            "driver": driver,
            "boards": boards,
            "cocotb": cocotb,
            "driver_over_cocotb": ratio,
            "build": built,
        }
        print(
            f"{network}: {driver['images_per_s']:.0f} images/s through the driver on the virtual "
            f"board, {cocotb['images_per_s']:.2f} through cocotb, ratio {ratio:.0f}; "
            f"{driver['frames_per_s_at_100_mhz_simulated_cycles']:.0f} frames/s at 100 MHz "
            f"({driver['cycles_per_frame']:.1f} simulated cycles a frame); "
            f"built in {built['bundle_s']:.0f} s, simulator in {built['simulator_s']:.0f} s; "
            f"two virtual boards sweep weights {boards['weights']['ratio']:.2f} times as fast as "
            f"one, buffers {boards['buffers']['ratio']:.2f} times"
        )
    bench["mtj"] = measured("spinflow", "physics", "bench")
    print(f"mtj: Monte Carlo takes {bench['mtj']['ratio']:.0f} times as long as quadrature")
    bench["stream"] = measured("tools.bench_stream")["stream"]
    bench["evaluator"] = measured("tools.bench_evaluator")["evaluator"]
    for network, figures in bench["evaluator"].items():
        if not isinstance(figures, dict):  # a condition of the measurement
            continue
        print(
            f"evaluator, {network}: {figures['images_per_s']['evaluator']:.0f} images/s, "
            f"{figures['ratio']:.1f} times Brevitas, {figures['ratio_best']:.1f} times the best of "
            f"PyTorch ({figures['best_of_torch']}), {figures['ratio_mrfi']:.1f} times MRFI; "
            f"{100 * figures['share_of_peak']:.0f} % of the processor's peak"
        )
    for network, figures in measured("tools.bench_grid")["evaluator"].items():
        bench["evaluator"].setdefault(network, {}).update(figures)
        rates = ", ".join(f"{rate}: {of['ratio_best']:.1f}" for rate, of in figures["rate"].items())
        grid = figures["grid"]
        print(
            f"evaluator, {network}, a default grid of {grid['trials']} trials on {grid['images']} "
            f"images: {grid['ratio_best']:.1f} times the best of PyTorch ({rates}), "
            f"{grid['ratio_whole']:.1f} times the same trials whole, "
            f"{grid['images_trials_per_s']:.0f} images x trials a second of one core; "
            f"{grid['processor']}, {' '.join(grid['vector_units'])}"
        )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(bench, indent=2) + "\n")
    print(f"wrote {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
