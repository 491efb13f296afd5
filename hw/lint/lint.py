"""Lints the RTL: Verilator with all warnings on every module, then Verible.

`python hw/lint/lint.py` prints what is wrong and exits 1, or one line when all is clean.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from spinflow.host.core import start

    start.begin()

import subprocess

ROOT = Path(__file__).resolve().parents[2]
RTL = ROOT / "hw/rtl"
REGS = ROOT / "build/regs"
PACKAGES = [
    RTL / "spinflow_pkg.sv",
    REGS / "spinflow_map_pkg.sv",
    REGS / "spinflow_regs_pkg.sv",
    REGS / "spinflow_regs.sv",
]


def run(command: list[str]) -> bool:
    """Run one linter; print what it says if it fails."""
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if result.returncode:
        print(result.stdout + result.stderr, file=sys.stderr)
    return result.returncode == 0


def main() -> int:
    """Lint everything; the exit code says whether all is clean."""
    modules = [path for path in sorted(RTL.glob("*.sv")) if not path.name.endswith("_pkg.sv")]
    waivers = ROOT / "hw/lint/verilator.vlt"
    common = ["verilator", "--lint-only", "-Wall", "--assert", "-y", str(RTL)]
    common += map(str, [waivers, *PACKAGES])
    clean = [run([*common, "--top-module", path.stem, str(path)]) for path in modules]
    clean.append(run(["verible-verilog-lint", *map(str, sorted(RTL.glob("*.sv")))]))
    if not all(clean):
        return 1
    print(f"lint: {len(modules)} RTL modules are clean")
    return 0


if __name__ == "__main__":
    sys.exit(start.finish(main))
