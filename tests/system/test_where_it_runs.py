"""Wherever and for whomever the programs run: homes, encodings, closed outputs, names, stamps."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST = str(ROOT / ".venv/bin/python")
BUNDLE = ROOT / "build/tfc-mnist"
REPORT = [HOST, "-m", "spinflow.host", "report", str(ROOT / "docs/results/mlp-mnist.csv"), "--out"]
FULL = os.environ.get("SPINFLOW_FULL") == "1"
INFO = [HOST, "-m", "spinflow.host", "info", "--bundle", str(BUNDLE)]


def run(
    command: list[str],
    out: object = subprocess.PIPE,
    err: object = subprocess.PIPE,
    **variables: str,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program of this repository; a variable of an empty value is taken away."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **variables}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={name: value for name, value in environment.items() if value},
        stdin=subprocess.DEVNULL,
        stdout=out,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
        check=False,
    )


# --- outputs --------------------------------------------------------------------------------------

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report as it is written where everything is as usual."""
    folder = tmp_path_factory.mktemp("report")
    assert "150 µA" in run([*REPORT, str(folder)], PYTHONIOENCODING="utf-8").stdout.decode()
    return folder


def same(one: Path, other: Path) -> bool:
    names = ("summary.json", "report.html")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "gbk"}, ASCII])
def test_outputs_of_any_encoding(variables: dict[str, str], right: Path, tmp_path: Path) -> None:
    done = run([*REPORT, str(tmp_path)], **variables)
    assert done.returncode == 0, done.stderr
    assert b"150 uA" in done.stdout
    assert same(tmp_path, right)


@pytest.mark.slow
def test_an_error_about_a_name_that_cannot_be_written() -> None:
    for variables in ({"PYTHONIOENCODING": "ascii"}, ASCII):
        done = run(
            [HOST, "-m", "spinflow.host", "info", "--bundle", "build/münster–\udcff"], **variables
        )
        assert done.returncode == 1 and done.stderr.count(b"\n") == 1
        assert b"Traceback" not in done.stderr and b"not a bundle" in done.stderr


def test_a_reader_that_ends_early() -> None:
    read, write = os.pipe()
    os.close(read)
    done = run(INFO, out=write)
    os.close(write)
    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr == b"spinflow: what reads the output has ended before all was written\n"


def test_a_full_disk() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = run(INFO, out=full)
    assert done.returncode == 1
    assert done.stderr == b"spinflow: input/output: No space left on device\n"


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_outputs(closed: str, right: Path, tmp_path: Path) -> None:
    """A file that is opened must not become the standard output, into which others print."""
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *REPORT, str(tmp_path)]
    done = run(command)
    assert done.returncode == 0, done.stderr
    assert same(tmp_path, right)
    failing = [*command[:5], "-m", "spinflow.host", "info", "--bundle", "/nowhere"]
    done = run(failing)
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    assert b"not a bundle" not in done.stdout


# --- the user and the surroundings ----------------------------------------------------------------

NOBODY = """
import os, pwd
def unknown(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = unknown
os.getuid = lambda: 54321
lstat = os.lstat
class Mine:
    def __init__(self, status):
        self.st_mode, self.st_uid = status.st_mode, 54321
def of_mine(path, **more):
    status = lstat(path, **more)
    return Mine(status) if "spinflow-54321" in str(path) else status
os.lstat = of_mine
"""


@pytest.fixture
def nobody(tmp_path: Path) -> dict[str, str]:
    """The surroundings of a user whom the machine does not know, as of `docker run -u 54321`."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NOBODY)
    return {
        "PYTHONPATH": f"{ROOT}:{tmp_path / 'site'}",
        "TMPDIR": str(tmp_path),
        **dict.fromkeys(("HOME", "USER", "LOGNAME", "SPINFLOW_CACHE"), ""),
    }


@pytest.mark.slow
def test_a_user_without_home(nobody: dict[str, str], tmp_path: Path) -> None:
    done = run([*REPORT, str(tmp_path / "out")], **nobody)
    assert done.returncode == 0, done.stderr
    done = run(
        [sys.executable, "-m", "spinflow.papers.physics", "table", "ecc", "--out", str(tmp_path)],
        **nobody,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "spinflow-54321").stat().st_mode & 0o777 == 0o700
    done = run(
        [HOST, "-m", "spinflow.host", "run", "--bundle", str(BUNDLE), "--images", "5"], **nobody
    )
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1
    assert b"spinflow-54321/.cache/spinflow/mnist has neither" in done.stderr
    if FULL:
        script = (
            "from spinflow.host.core import start; start.begin();"
            "from spinflow.hls import finn_env, flow"
        )
        done = run([sys.executable, "-c", script], **nobody)
        assert done.returncode == 0, done.stderr


def test_a_folder_for_temporary_files_that_is_not_there(tmp_path: Path) -> None:
    done = run([*REPORT, str(tmp_path / "out")], TMPDIR="/nowhere")
    assert done.returncode == 0 and not done.stderr
    done = run(
        [sys.executable, "-m", "spinflow.hw.synth.block", "popcount_cell"], TMPDIR="/nowhere"
    )
    assert b"mkdtemp" not in done.stderr


def test_a_python_without_the_packages() -> None:
    done = run([sys.executable, "-I", "-S", "-c", SCRIPT.format(root=str(ROOT))])
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1
    assert b"has no package numpy: make setup" in done.stderr


SCRIPT = """
import runpy, sys
sys.path.insert(0, {root!r})
sys.argv = ["-m"]
import spinflow.host
sys.argv = ["x"]
runpy.run_module("host", run_name="__main__")
"""


def test_text_files_have_an_encoding() -> None:
    """Without one, a file is read and written in whatever the user's language is."""
    rooms = ("hls", "sim", "model", "hw", "host")
    command = [str(ROOT / ".venv/bin/ruff"), "check", "--preview", "--select", "PLW1514"]
    done = run([*command, *rooms])
    assert done.returncode == 0, done.stdout.decode()
    for path in (path for room in rooms for path in (ROOT / room).rglob("*.py")):
        assert not re.search(r"(?<!\w)text=True", path.read_text(encoding="utf-8")), path


# --- make -----------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that make takes for a checkout in which all is built."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copyfile(ROOT / "Makefile", folder / "Makefile")
    for name in (
        *("hls", "host", "hw", "model", "sim", "requirements"),
        *("spinflow.py", "pyproject.toml"),
    ):
        (folder / name).symlink_to(ROOT / name)
    made = [".venv/.installed", "build/regs/regmap.json"]
    of_bundle = ("model.onnx", "accel.json", "accel.hwh", "arrays.npz", "golden.npz", "rtl/files.f")
    made += [f"build/tfc-mnist/{name}" for name in of_bundle]
    made += ["build/tfc-mnist/.bundle", "build/tfc-mnist/libaccel.so", "build/tfc-mnist/.simulator"]
    for number, name in enumerate(made):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (4e9 + number, 4e9 + number))
    return folder


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    names = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_deleted_is_built_again(checkout: Path) -> None:
    target = ("-n", "bundle", "NETWORK=tfc-mnist")
    assert " simulator " not in make(checkout, *target).stdout
    (checkout / "build/tfc-mnist/libaccel.so").unlink()
    done = make(checkout, *target)
    assert "-m spinflow simulator build/tfc-mnist" in done.stdout and " bundle " not in done.stdout
    (checkout / "build/tfc-mnist/libaccel.so").touch()
    for name in ("accel.json", "golden.npz", "rtl/files.f"):
        (checkout / "build/tfc-mnist" / name).rename(checkout / "away")
        assert "-m spinflow bundle tfc-mnist" in make(checkout, *target).stdout, name
        (checkout / "away").rename(checkout / "build/tfc-mnist" / name)
    assert " bundle " not in make(checkout, *target).stdout


def test_a_mistyped_network(checkout: Path) -> None:
    targets = ["run", "bundle", "synth", "route", "bitstream", "deploy", "board-sweep"]
    networks = ["mlp-mnis", "a b", "b a", "mlp-mnist tfc-mnist", "../x", "$$(id)", "'"]
    for target, network in [*zip(targets, networks, strict=True), ("run", ""), ("bundle", "a b")]:
        done = make(checkout, target, f"NETWORK={network}")
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout
        if network == "mlp-mnis":
            assert "no such network; there are" in done.stderr
            assert "mlp-mnist, tfc-mnist" in done.stderr
        else:
            assert "a name is expected, as tfc-mnist, or the path of a description" in done.stderr
        assert len(done.stderr) < 300


@pytest.mark.parametrize("target", ["data-cifar", "data-"])
def test_a_mistyped_data_set(target: str, checkout: Path) -> None:
    done = make(checkout, target)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith(
        f"spinflow: {target}: no such data set; there are"
    )


def test_a_mistyped_network_in_python() -> None:
    for program in (
        ("spinflow.hls.build", "spinflow.model.export", "spinflow.model.evaluate")
        if FULL
        else ("spinflow.hls.build",)
    ):
        out = ["--out", "/dev/null/x"] if program == "spinflow.model.export" else []
        done = run([sys.executable, "-m", program, "mlp-mnis", *out])
        lines = done.stderr.decode().splitlines()
        assert done.returncode and len(lines) == 1 and "mlp-mnist" in lines[0], (program, lines)
        assert len(lines[0]) < 300


@pytest.mark.parametrize("name", ["a b", "a$b", "a'b"])
def test_a_path_that_make_cannot_do_with(name: str, checkout: Path, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    place = checkout.rename(tmp_path / name / "checkout")
    shutil.rmtree(place / ".venv")
    done = make(place, "run")
    assert done.returncode == 2 and not (place / ".venv").exists()
    line, of_make = done.stderr.splitlines()
    assert line.startswith("spinflow: the path of this folder") and of_make.startswith("make:")
    assert make(place, "help").returncode == 0


def test_words_of_variables_stay_together(checkout: Path) -> None:
    data = "/a b/c'd $$(touch e)"
    for target in ("run", "deploy"):
        done = make(checkout, "-n", target, "NETWORK=tfc-mnist", f"DATA_DIR={data}", "TARGET=x y")
        assert "--data-dir '/a b/c'\\''d $(touch e)'" in done.stdout, done
    assert "-- 'x y' build" in done.stdout


def test_settings_for_another_python(checkout: Path) -> None:
    (checkout / "Makefile").write_text(
        (checkout / "Makefile").read_text() + "\nshow:\n\t@env\n", encoding="utf-8"
    )
    foreign = dict.fromkeys(("PYTHONHOME", "PIP_TARGET", "PIP_USER", "VERILATOR_ROOT"), "/nowhere")
    done = make(checkout, "show", PYTHONPATH="/nowhere", **foreign)
    assert done.returncode == 0 and "/nowhere" not in done.stdout.replace(os.environ["PATH"], "")


# --- locks ----------------------------------------------------------------------------------------

LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_locked_package_has_hashes(path: Path) -> None:
    text = path.read_text()
    hashes = r"(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
    entries = re.findall(rf"^(\S+)==(\S+) \\\n{hashes}", text, re.M)
    assert len(entries) == text.count("==") > 0
    wanted = path.with_suffix(".in")
    for line in wanted.read_text().split() if wanted.exists() else ():
        if "==" in line:
            assert line in {f"{name}=={version}" for name, version in entries}


def wheel(folder: Path, content: str) -> str:
    """Make the wheel of a package; return its SHA-256."""
    path = folder / "tiny-1.0-py3-none-any.whl"
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("tiny.py", content)
        out.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        out.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        out.writestr(
            f"{info}/RECORD", f"tiny.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_another_file_than_the_locked_one_is_not_installed(checkout: Path, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (checkout / "requirements").unlink()
    (checkout / "requirements").mkdir()
    shutil.rmtree(checkout / ".venv")
    locked = wheel(wheels, "x = 1\n")
    right = (wheels / "tiny-1.0-py3-none-any.whl").read_bytes()
    lock = checkout / "requirements" / "tiny.lock"
    lock.write_text(f"tiny==1.0 \\\n    --hash=sha256:{locked}\n")
    wheel(wheels, "x = 2\n")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": "/dev/null"}
    done = make(checkout, ".venv/tiny/.installed", **offline)
    assert done.returncode == 2 and "HASH" in done.stderr.upper()
    assert not list((checkout / ".venv").rglob("tiny.py"))
    (wheels / "tiny-1.0-py3-none-any.whl").write_bytes(right)
    done = make(checkout, ".venv/tiny/.installed", **offline)
    assert done.returncode == 0, done.stderr
    assert len(list((checkout / ".venv").rglob("tiny.py"))) == 1
