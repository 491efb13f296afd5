"""Whether a variant of the RTL that no bench rejects is the same circuit: a proof by yosys.

Module and variant are compared register by register: if all registers hold the same, outputs and
next values are the same for all inputs, over some cycles where one does not do. That is enough for
variants in which something is stated twice; whatever needs more is argued in equivalent.toml.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import tomllib

from tests.hw import runner
from tests.hw.catalogue import CASES, Case, needed
from tests.hw.equivalence import YOSYS
from tests.hw.mutation import schema
from tests.hw.mutation.sites import Site

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
SECONDS = 300
CYCLES = 2  # that an induction may look back


def arguments() -> list[dict[str, str]]:
    """Return the variants that are equal for a reason: file, text of the line, old, new, reason."""
    text = EQUIVALENT.read_text(encoding="utf-8")
    found: list[dict[str, str]] = tomllib.loads(text)["equivalent"]
    return found


def reason_for(site: Site) -> str:
    """Return why a variant is equal, by the list of those; empty if it is not there."""
    line = (runner.RTL / site.file).read_text(encoding="utf-8").splitlines()[site.line - 1].strip()
    here = {"file": site.file, "line": line, "old": site.old, "new": site.new}
    for entry in arguments():
        if {key: entry[key] for key in here} == here:
            return entry["reason"]
    return ""


def proven(site: Site) -> bool:
    """Whether the variant equals its module, on each set of parameters of the module's bench."""
    cases = [case for case in CASES if case.bench == Path(site.file).stem]
    # What can be refuted is refuted sooner where it is small.
    cases.sort(key=lambda case: sum(v for v in case.parameters.values() if isinstance(v, int)))
    return bool(cases) and all(same(site, case) for case in cases)


def same(site: Site, case: Case) -> bool:
    """Whether the variant equals its module on one set of parameters, as far as yosys can tell."""
    files = needed(case.bench, runner.sources())
    source = runner.RTL / site.file
    text = hashlib.sha256(site.new.encode()).hexdigest()[:8]
    folder = runner.BUILDS / f"equal-{Path(site.file).stem}-{site.start}-{site.end}-{text}"
    folder.mkdir(parents=True, exist_ok=True)
    variant = folder / site.file
    variant.write_bytes(schema.changed(source.read_bytes(), site))
    parameters = " ".join(f"-G {name}={value}" for name, value in case.parameters.items())
    script = folder / f"{case.name}.ys"
    lines = []
    for name, replaced in (("gold", source), ("gate", variant)):
        texts = " ".join(str(replaced if file == source else file) for file in files)
        lines += [
            "read_slang --no-synthesis-define --ignore-assertions --unroll-limit 1000000 "
            f"{parameters} --top {case.bench} {texts}",
            f"hierarchy -top {case.bench}", "proc", "flatten", "memory -nomap; memory_map",
            # What is compared has a name: ports and registers keep theirs.
            "opt_clean", "select -set registers t:$*dff* %co1:+[Q] w:* %i",
            "rename -hide w:* i:* %d o:* %d @registers %d",
            f"rename {case.bench} {name}", f"design -stash {name}",
        ]  # fmt: skip
    lines += [
        "design -copy-from gold gold", "design -copy-from gate gate",
        "equiv_make gold gate equiv", "hierarchy -top equiv", "opt_clean",
        f"equiv_simple -undef -seq {CYCLES}", f"equiv_induct -undef -seq {CYCLES}",
        "equiv_status -assert",
    ]  # fmt: skip
    script.write_text("\n".join(lines), encoding="utf-8")
    try:
        done = subprocess.run(
            [sys.executable, "-c", YOSYS, f"script {script}"],
            capture_output=True, text=True, check=False, timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    (folder / "log").write_text(done.stdout + done.stderr, encoding="utf-8")
    return done.returncode == 0
