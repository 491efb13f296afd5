"""What sby runs as yosys: the one of the Python package pyosys, which reads SystemVerilog.

Takes what sby gives, `-ql LOG SCRIPT`: nothing on the screen but errors, all of it in the log.
"""

import sys

from pyosys import libyosys


def main() -> None:
    """Run a script."""
    option, log, script = sys.argv[1:]
    if option != "-ql":
        sys.exit(f"{option} is not -ql")
    libyosys.run_pass(f"tee -q -o {log} script {script}", libyosys.Design())


if __name__ == "__main__":
    main()
