"""What the RTL should do, in plain Python integers, written from docs/contracts.md alone.

Words are integers, bit 0 first. Nothing here is fast and nothing comes from `sim/`: where the two
agree with the RTL, they agree for two reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MASK32 = 0xFFFFFFFF
ALWAYS = MASK32
OFF, FLIP, SWITCH = 0, 1, 2


def word(seed: int, number: int) -> int:
    """A word of the random stream that `seed` names: half a block."""
    x, y = (number >> 1) & MASK32, seed
    for r in range(1, 9):
        x = ((x >> 8 | x << 24) + y & MASK32) ^ (0x9E3779B9 * r & MASK32)
        y = (y << 3 & MASK32 | y >> 29) ^ x
    return y if number & 1 else x


def lead(seed: int, position: int) -> int:
    """The leading 8 bits of a draw: one byte of four in a word."""
    return word(seed, (position >> 2) % 2**32) >> 8 * (position % 4) & 0xFF


def tail(seed: int, position: int) -> int:
    """The trailing 24 bits of a draw, of a word that no lead is of."""
    return word(seed, 2**32 + position % 2**32) >> 8


def draw(seed: int, position: int) -> int:
    """The draw at a position of the random stream that `seed` names."""
    return lead(seed, position) << 24 | tail(seed, position)


def origin(x: int, y: int) -> tuple[int, int]:
    """The seed and the block whose two words these are: the rounds of `word`, undone."""
    for number in range(8, 0, -1):
        turned = x ^ y
        y = turned >> 3 | turned << 29 & MASK32
        x = (x ^ 0x9E3779B9 * number & MASK32) - y & MASK32
        x = x << 8 & MASK32 | x >> 24
    return y, x


def place_of(drawn: int) -> tuple[int, int]:
    """A seed and a position, below 2^32, whose draw is this."""
    for other in range(MASK32):
        seed, block = origin(drawn << 8 & MASK32, other)  # the tail of an even position
        position = 2 * block & MASK32
        if block >> 31 and lead(seed, position) == drawn >> 24:
            return seed, position
    raise AssertionError("a lead is not right in 256 cases, nor the block in 2")


def memory_seed(base: int, repeat: int, index: int) -> int:
    """The seed of one memory for one repeat."""
    return word(base ^ 0x5EED0000, 64 * repeat + index)


def errs(value: int, threshold: int) -> bool:
    """Whether a draw errs."""
    return value < threshold or threshold == ALWAYS


def bits(word: int, width: int) -> list[int]:
    """The bits of a word, lowest first."""
    return [word >> i & 1 for i in range(width)]


def word_of(values: Sequence[int]) -> int:
    """The word of these bits, lowest first."""
    return sum(bit << i for i, bit in enumerate(values))


@dataclass
class Config:
    """How the writes of a memory err."""

    mode: int = OFF
    rate1: int = 0
    rate0: int = 0
    seed: int = 0


@dataclass
class Counts:
    """What a memory counts, in bits."""

    written: int = 0
    switched: int = 0
    err1: int = 0
    err0: int = 0

    def add(self, other: Counts) -> None:
        """Adds another count to this one."""
        self.written += other.written
        self.switched += other.switched
        self.err1 += other.err1
        self.err0 += other.err0

    @classmethod
    def unpacked(cls, count: int) -> Counts:
        """What a count_t says."""
        return cls(count >> 24, count >> 16 & 255, count >> 8 & 255, count & 255)

    def packed(self) -> int:
        """As count_t."""
        return self.written << 24 | self.switched << 16 | self.err1 << 8 | self.err0


def write_word(
    mode: int, width: int, old: int, target: int, hits: tuple[int, int]
) -> tuple[int, Counts]:
    """What a write of `width` bits stores and counts, from its hits on a 1 and on a 0."""
    hit1, hit0 = hits
    stored = 0
    counts = Counts()
    for i in range(width):
        was, want = old >> i & 1, target >> i & 1
        hit = (hit1 if want else hit0) >> i & 1
        error = {OFF: 0, FLIP: hit, SWITCH: hit & (want ^ was)}.get(mode, 0)
        stored |= (want ^ error) << i
        counts.add(Counts(1, want ^ was, error & want, error & (want ^ 1)))
    return stored, counts


@dataclass
class Stream:
    """A memory's place in its random stream."""

    config: Config = field(default_factory=Config)
    position: int = 0

    def draw(self) -> int:
        """The next draw."""
        self.position += 1
        return draw(self.config.seed, self.position - 1)

    def hits(self, width: int) -> tuple[int, int]:
        """Which of the next `width` bits err as a 1 and as a 0; with mode off nothing is drawn."""
        if self.config.mode == OFF:
            return 0, 0
        draws = [self.draw() for _ in range(width)]
        return (
            word_of([errs(value, self.config.rate1) for value in draws]),
            word_of([errs(value, self.config.rate0) for value in draws]),
        )

    def restart(self, config: Config | None = None) -> None:
        """Back to the start of the stream, or of another one."""
        self.position = 0
        self.config = config or self.config


def block_hits(config: Config, block: int) -> tuple[int, int]:
    """Which of the eight draws of a block err as a 1 and as a 0."""
    draws = [draw(config.seed, 8 * block + i) for i in range(8)]
    return (
        word_of([errs(value, config.rate1) for value in draws]),
        word_of([errs(value, config.rate0) for value in draws]),
    )


class Buffer:
    """A buffer memory: every word is written with errors and read back."""

    def __init__(self, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        self.stream = Stream()
        self.reset()

    def reset(self) -> None:
        """Soft reset: first address, old values 0, stream restarted."""
        self.words = [0] * self.depth
        self.written = 0
        self.counts = Counts()
        self.stream.restart()

    def write(self, target: int) -> int:
        """Writes a word and returns what is read back."""
        address = self.written % self.depth
        hits = self.stream.hits(self.width)
        stored, counts = write_word(
            self.stream.config.mode, self.width, self.words[address], target, hits
        )
        self.words[address] = stored
        self.written += 1
        self.counts.add(counts)
        return stored


class Weights:
    """A weight memory, written in segments of 32 bits."""

    def __init__(self, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        self.segments = -(-width // 32)
        self.words = [0] * depth
        self.stream = Stream()
        self.counts = Counts()

    @property
    def stride(self) -> int:
        """Bytes from word to word in the window."""
        return 4 << (self.segments - 1).bit_length()

    def read(self, word: int, segment: int) -> int:
        """A segment as it reads back."""
        return self.words[word] >> 32 * segment & MASK32

    def write(self, word: int, segment: int, target: int) -> None:
        """Writes a segment with errors; the upper bits of a short one do not exist."""
        width = min(32, self.width - 32 * segment)
        mask = (1 << width) - 1
        hits = self.stream.hits(width)
        if self.stream.config.mode != OFF:
            self.stream.position += 32 - width  # a segment takes 32 positions, whatever its bits
        stored, counts = write_word(
            self.stream.config.mode, width, self.read(word, segment), target & mask, hits
        )
        self.words[word] &= ~(MASK32 << 32 * segment)
        self.words[word] |= stored << 32 * segment
        self.counts.add(counts)


def popcount_stages(width: int) -> int:
    """Return the cycles of a popcount of ``width`` pairs of bits.

    Sums of five bits stand in two columns; levels of LUTs make three bits of six in a column, and
    two of three, until none has more than three. Three such levels take two stages, four more
    another.
    """
    columns = {0: -(-width // 5), 1: (width - -(-width // 5) + 1) // 2}
    levels = 0
    while max(columns.values()) > 3:
        below: dict[int, int] = {}
        for place, bits in columns.items():
            sixes, threes = bits // 6, bits % 6 // 3
            for up, made in enumerate((sixes + threes + bits % 3, sixes + threes, sixes)):
                below[place + up] = below.get(place + up, 0) + made
        columns = below
        levels += 1
    return 2 + max(0, -(-(levels - 3) // 4))


def popcount_layer(
    inputs: Sequence[int], weights: Sequence[Sequence[int]], thresholds: Sequence[int] | None
) -> list[int]:
    """A binary layer: agreeing bits per output, compared with its threshold if there are any."""
    agree = [sum(x == w for x, w in zip(inputs, row, strict=True)) for row in weights]
    if thresholds is None:
        return agree
    return [int(count >= limit) for count, limit in zip(agree, thresholds, strict=True)]


def padded_places(
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    corner: Sequence[int],
    windows: Sequence[int],
) -> list[list[bool]]:
    """Of each window in turn which of its pixels lie beside a map of `size`; pairs (row, column).

    `corner` is the padding above the map and on its left, `windows` how many windows there are.
    """
    return [
        [
            not (0 <= row * stride[0] + i - corner[0] < size[0]
                 and 0 <= column * stride[1] + j - corner[1] < size[1])
            for i in range(kernel[0]) for j in range(kernel[1])
        ]
        for row in range(windows[0]) for column in range(windows[1])
    ]  # fmt: skip


def zero_padded_layer(
    inputs: Sequence[int],
    padded: Sequence[bool],
    weights: Sequence[Sequence[int]],
    thresholds: Sequence[int],
) -> list[int]:
    """A binary layer whose padded inputs count for nothing; thresholds are on the sum of +1, -1."""
    sums = [
        sum((1 if x == w else -1) for x, out, w in zip(inputs, padded, row, strict=True) if not out)
        for row in weights
    ]
    return [int(total >= limit) for total, limit in zip(sums, thresholds, strict=True)]


def pixel_layer(
    inputs: Sequence[int], weights: Sequence[Sequence[int]], thresholds: Sequence[int] | None
) -> list[int]:
    """A first layer on pixels: their sum with weights of +1 (1) and -1 (0), and its threshold."""
    sums = [sum(x if w else -x for x, w in zip(inputs, row, strict=True)) for row in weights]
    if thresholds is None:
        return sums
    return [int(total >= limit) for total, limit in zip(sums, thresholds, strict=True)]


def max_pool(bits_of_map: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """The OR of the size x size windows of a map of words, rows of columns; the rest is cut off."""
    rows, columns = len(bits_of_map) // size, len(bits_of_map[0]) // size
    pooled = [[0] * columns for _ in range(rows)]
    for y in range(rows * size):
        for x in range(columns * size):
            pooled[y // size][x // size] |= bits_of_map[y][x]
    return pooled
