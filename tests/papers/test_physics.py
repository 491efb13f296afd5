"""The command line of the device models: tables as printed, files, refusals."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from spinflow.papers.physics import main, text
from spinflow.papers.sheets import CURVES, SHEETS, TABLES


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_asano_table_2_as_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "asano-2", "--out", str(tmp_path)]) == 0
    assert "Asano 2024, table 2" in capsys.readouterr().out
    rows = read(tmp_path / "asano-2.csv")
    assert len(rows) == 10
    for row in rows:
        assert abs(float(row["energy_pj"]) - float(row["printed_energy_pj"])) <= 0.02
        assert abs(float(row["change_percent"]) - float(row["printed_change_percent"])) <= 0.1


@pytest.mark.slow
def test_tzoufras_table_1(tmp_path: Path) -> None:
    assert main(["table", "tzoufras-1", "--out", str(tmp_path)]) == 0
    first, *others = read(tmp_path / "tzoufras-1.csv")
    assert float(first["voltage_over_vsw"]) == pytest.approx(2.78, abs=0.005)
    assert (first["pulse_ns"], first["ecc"]) == ("5", "2-3 bits")
    assert [row["endurance_class"] for row in others[:2]] == ["unlimited", "unlimited"]
    assert all(row["ecc"] == "none" for row in others)
    assert all(float(row["pulse_ns"]) < 5.0 for row in others[2:])


def test_files_are_the_same_every_time(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert main(["curve", "asano-10", "--out", str(tmp_path / folder)]) == 0
    for name in ("asano-10.csv", "asano-10.svg", "asano-10.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.slow
def test_every_name_is_a_table_or_a_curve() -> None:
    assert len(TABLES) + len(CURVES) == len(SHEETS)
    for name in ("asano-2", "asano-10", "hirtzlin-saving", "tzoufras-legendre", "ecc"):
        sheet = SHEETS[name]()
        assert sheet.name == name and (sheet.kind == "table") == (name in TABLES)
        assert all(len(row) == len(sheet.columns) for row in sheet.rows)
        assert len(sheet.column(sheet.columns[0])) == len(sheet.rows)
        lines = text(sheet).splitlines()
        assert lines[0] == sheet.title and len({len(line) for line in lines[1:-1]}) == 1


def test_devices_are_printed_with_their_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["devices", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    rows = {row["device"]: row for row in read(tmp_path / "devices.csv")}
    assert float(rows["isscc-2018"]["conventional_pj"]) == pytest.approx(4.5)
    assert float(rows["isscc-2018"]["at_0.01_pj"]) == pytest.approx(1.125, abs=1e-3)
    assert float(rows["asano-2024"]["at_0.001_pj"]) == pytest.approx(16.56, abs=0.01)
    for name, row in rows.items():
        assert f"\n{name}: {row['part']}. {row['source']}\n" in printed
    assert main(["table", "devices", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == printed


def test_bench_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 0
    assert json.loads(capsys.readouterr().out)["ratio"] > 1e4


def test_bad_names_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["table", "asano-10"])
    assert "invalid choice: 'asano-10'" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["table", "asano-2", "--out", str(tmp_path / "file")]) == 1
    assert "file: " in capsys.readouterr().err


def test_models_need_numpy_and_scipy_only() -> None:
    program = (
        "import sys, spinflow.host.mtj.models;"
        "import spinflow.host.mtj.reliability, spinflow.host.mtj.ecc;"
        "sys.exit(bool({'torch', 'matplotlib', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
