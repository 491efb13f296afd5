"""Boards: a folder of data and Tcl for each, and the scripts that are the same for all of them.

A board is `hw/boards/<kind>/` with `board.toml`, which :func:`board` reads, and `ps7.tcl`, which
sets up its processing system in Vivado. The scripts make a bitstream, bring it to a board and run a
sweep there. All of this needs Python 3.11 and nothing else, so that it runs beside Vivado.
"""

from spinflow.hw.boards.facts import Board, BoardError, board, board_named, kinds

__all__ = ["Board", "BoardError", "board", "board_named", "kinds"]
