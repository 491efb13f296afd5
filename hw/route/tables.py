"""Tables of the reports on routed designs, for the screen and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spinflow.host.core.tables import markdown


def one(report: dict[str, Any]) -> str:
    """Return what is to be said of one routed design."""
    path, image = report["slowest"], report["image"]
    use = ", ".join(
        f"{entry['used']:,} of {entry['available']:,} {name}"
        for name, entry in report["use"].items()
    )
    steps = [
        [
            part["block"],
            part["module"],
            f"{part['logic_ns']:.2f}",
            f"{part['wires_ns']:.2f}",
        ]
        for part in path["through"]
    ]
    return "\n".join(
        [
            f"{report['network']}, build {report['build_id']:08x}, routed on {report['part']} "
            f"({report['grade']}): {report['fmax_mhz']:.2f} MHz{_seeds(report)}.",
            "",
            f"{report['note']}",
            "",
            f"Takes {use}.",
            "",
            f"Slowest path: {path['delay_ns']:.2f} ns, {path['logic_ns']:.2f} logic and "
            f"{path['wires_ns']:.2f} wires, {path['levels']} cells in between, from "
            f"{_end(path['from'])} to {_end(path['to'])}:",
            "",
            markdown(
                ["block", "module", "logic, ns", "wires, ns"], steps, [False] * 2 + [True] * 2
            ),
            "",
            f"{image['file']}: {image['bytes']:,} bytes, SHA-256 {image['sha256']}",
            "",
        ]
    )


def comparison(reports: Sequence[dict[str, Any]]) -> str:
    """Return one row a routed design as Markdown: all of them for one part."""
    resources = list(reports[0]["use"])
    there = reports[0]["use"]
    head = ["design", "cycles a frame", "Fmax, MHz", "least of seeds", "slowest, ns", "of it wires"]
    head += [f"{name} of {there[name]['available']:,}" for name in resources]
    body = []
    for report in reports:
        path, seeds = report["slowest"], len(report["seeds"])
        body.append(
            [
                report["network"],
                f"{report['cycles_per_frame']:,}",
                f"{report['fmax_mhz']:.1f}",
                f"{report['least_mhz']:.1f} of {seeds}",
                f"{path['delay_ns']:.1f}",
                f"{path['wires_ns']:.1f}",
                *(f"{report['use'][name]['used']:,}" for name in resources),
            ]
        )
    return markdown(head, body, [False, *[True] * (len(head) - 1)]) + "\n"


def path(report: dict[str, Any]) -> str:
    """Return a line on the slowest path of a design."""
    found = report["slowest"]
    return (
        f"- {report['network']}, {report['cycles_per_frame']:,} cycles: from "
        f"{_end(found['from'])} to {_end(found['to'])}, {found['levels']} cells"
    )


def _seeds(report: dict[str, Any]) -> str:
    seeds = report["seeds"]
    if len(seeds) == 1:
        return f" with seed {report['best_seed']}"
    return (
        f" with seed {report['best_seed']}, the best of {len(seeds)}; the least is "
        f"{report['least_mhz']:.2f}, the median {report['median_mhz']:.2f}"
    )


def _end(place: dict[str, str]) -> str:
    """Return an end of a path: module and signal, and where the module is."""
    return f"`{place['block']}` ({place['module'] or 'harness'}) `{place['signal']}`"
