"""A draw engine for the benches of modules that ask one: it answers late and out of order."""

from __future__ import annotations

from typing import ClassVar

from tests.hw.benches.base import Bench
from tests.hw.models import Config, block_hits

TAG_WIDTH = 16  # spinflow_pkg::DrawTagWidth
TAG_MASK = (1 << TAG_WIDTH) - 1


REQUEST_WIDTH = TAG_WIDTH + 8
ANSWER_WIDTH = TAG_WIDTH + 16


def request(tag: int, *, first: int, start: int, advance: int, valid: int = 1) -> int:
    """A draw_request_t."""
    return (valid << 7 | first << 6 | start << 3 | advance) << TAG_WIDTH | tag


class DrawServer:
    """Grants the requests at a module's ports and answers them by the model.

    `config` is that of the memory that asks, `stream` its number. `rate` is the chance of a
    grant, `latency` the least and the most cycles to an answer. What is under way outlives a test,
    as it outlives a reset.
    """

    due: ClassVar[list[tuple[int, int, int, int]]] = []  # cycle, number, port, answer
    cycle: ClassVar[int] = 0

    def __init__(
        self,
        bench: Bench,
        latency: tuple[int, int] = (2, 40),
        names: tuple[str, ...] = ("request_o", "grant_i", "answer_i", "answer_valid_i"),
    ) -> None:
        self.rng = bench.rng
        self.request, self.grant, self.answer, self.answer_valid = (
            getattr(bench.dut, name) for name in names
        )
        self.ports = len(self.grant) if hasattr(self.grant, "__len__") else 1
        self.config = Config()
        self.latency = latency
        self.rate = 1.0
        self.stream = 0
        self.blocks: dict[tuple[int, int], int] = {}
        self.grants = 0
        if not DrawServer.cycle:  # else the last cycle of the test before goes on
            self.grant.value = self.answer_valid.value = 0
        bench.agents.append(self)

    def drive(self) -> None:
        """Grant what has been asked for since the last edge, and answer what is due."""
        DrawServer.cycle += 1
        asked = int(self.request.value)
        grants = valids = answers = 0
        for port in range(self.ports):
            grants |= self._grant(port, asked >> REQUEST_WIDTH * port) << port
            waiting = [entry for entry in self.due if entry[2] == port]
            answer = self.rng.getrandbits(ANSWER_WIDTH)
            if waiting and waiting[0][0] <= self.cycle:
                self.due.remove(waiting[0])
                valids |= 1 << port
                answer = waiting[0][3]
            answers |= answer << ANSWER_WIDTH * port
        self.grant.value, self.answer_valid.value, self.answer.value = grants, valids, answers

    def _grant(self, port: int, asked: int) -> bool:
        """Perhaps grant a request, and make its draws."""
        if not asked >> REQUEST_WIDTH - 1 & 1 or self.rng.random() >= self.rate:
            return False
        place = self.stream, port
        block = asked >> TAG_WIDTH + 3 & 7
        if not asked >> TAG_WIDTH + 6 & 1:
            block = self.blocks[place]
        self.blocks[place] = (block + (asked >> TAG_WIDTH & 7)) % 2**31
        hit1, hit0 = block_hits(self.config, block)
        self.grants += 1
        # Of two that are due the one that was asked for first comes first.
        late = self.cycle + self.rng.randint(*self.latency)
        answer = (asked & TAG_MASK) << 16 | hit1 << 8 | hit0
        self.due.append((late, self.grants, port, answer))
        self.due.sort()
        return True

    def sample(self) -> None:
        """All is seen in drive()."""

    def withdraw(self) -> None:
        """A reset of who asks does not reach the engine, which has nothing to say meanwhile."""
        self.grant.value = self.answer_valid.value = 0
