"""The virtual board under stock pynq: what works on a board works, what fails there fails here."""

import errno
from collections.abc import Callable
from typing import Any

import numpy as np
import pynq
import pytest

import spinflow.sim.board
from spinflow.hw import boards
from tests.sim.host.conftest import Board

Golden = dict[str, np.ndarray]
MM2S, S2MM = 0x00, 0x30  # where the channels' registers begin
STATUS, ADDRESS, LENGTH = 0x04, 0x18, 0x28
IDLE, COMPLETE = 0x2, 0x1000


def begin(board: Board, channel: int, buffer: Any, nbytes: int) -> None:
    """Starts a transfer by its registers alone, without the flush that pynq's DMA does."""
    board.dma.mmio.write(channel + ADDRESS, buffer.physical_address)
    board.dma.mmio.write(channel + LENGTH, nbytes)


def finished(board: Board, channel: int) -> bool:
    return bool(board.dma.mmio.read(channel + STATUS) & IDLE)


def test_images_through_pynq(board: Board, golden: Golden) -> None:
    board.load_weights()
    labels = golden["labels"].reshape(-1)
    np.testing.assert_array_equal(board.classify(golden["images"]), labels)
    np.testing.assert_array_equal(board.classify(golden["images"][:3]), labels[:3])
    assert board.dma.recvchannel.transferred == 12


def test_registers(board: Board) -> None:
    assert board.accel.read(board.offset("ID")) == 0x5350494E
    assert int(board.accel.array[board.offset("ID") // 4]) == 0x5350494E
    assert board.overlay.accel.register_map.ID[31:0] == 0x5350494E
    board.accel.write(board.offset("FRAMES_PER_TRANSFER"), 7)
    assert board.accel.read(board.offset("FRAMES_PER_TRANSFER")) == 7


def test_a_new_overlay_is_a_fresh_accelerator(board: Board) -> None:
    board.load_weights()
    places = board.places(board.description["memories"][0])
    old = board.accel.array
    assert old[places].any()
    assert not Board().accel.array[places].any()
    # What was mapped before shows the design that is loaded now.
    assert not old[places].any()


def refused(access: Callable[[], Any]) -> str:
    """Makes an access that a bus error must end, and returns what it says."""
    with pytest.raises(OSError) as caught:
        access()
    assert caught.value.errno == errno.EIO
    return str(caught.value)


def partial(board: Board) -> bool:
    """Whether the RTL has seen a write of less than a word, since the last time of asking."""
    field = 1 << board.registers["STATUS"]["fields"]["partial"]["lsb"]
    seen = bool(board.accel.read(board.offset("STATUS")) & field)
    board.accel.write(board.offset("STATUS"), field)
    return seen


def test_windows_index_as_arrays_do(board: Board) -> None:
    memory = board.description["memories"][0]
    places = board.places(memory)
    values = np.random.default_rng(3).integers(0, 1 << 32, places.shape, dtype=np.uint32)
    values[:, -1] &= 0xFFFFFFFF >> (-memory["width"] % 32)
    array = board.accel.array
    array[places] = values
    np.testing.assert_array_equal(array[places], values)
    np.testing.assert_array_equal(array[places[::-3, 1].tolist()], values[::-3, 1])
    assert array[int(places[2, 1])] == values[2, 1]
    assert array[places[2, 1] - len(array)] == values[2, 1]
    array[places[5]] = 0
    array[int(places[6, 0])] = 1
    array[[places[7, 0], places[7, 0]]] = [8, 9]  # the last one stays
    values[5], values[6, 0], values[7, 0] = 0, 1, 9
    np.testing.assert_array_equal(array[places], values)

    first, step = memory["base"] // 4, memory["stride"] // 4
    window = array[first : first + memory["depth"] * step].reshape(memory["depth"], step)
    window = window[:, : memory["segments"]]
    assert window.shape == values.shape and len(window) == memory["depth"] and window.ndim == 2
    np.testing.assert_array_equal(np.array(window), values)
    np.testing.assert_array_equal(window[3:9:2, 1].copy(), values[3:9:2, 1])
    np.testing.assert_array_equal(np.asarray(window[-1]), values[-1])
    np.testing.assert_array_equal(window[[1, 4], [0, 1]], values[[1, 4], [0, 1]])
    np.testing.assert_array_equal(window[values[:, 0] > 5], values[values[:, 0] > 5])
    np.testing.assert_array_equal(window[1:3] + 1 == values[1:3] + 1, True)
    assert np.concatenate([window[:2], window[3:4]]).tolist() == values[[0, 1, 3]].tolist()
    assert window[2, 1] == values[2, 1] == window[2][1] == window[2, 1, ...][()]
    window[[1, 4], [0, 1]] = [21, 22]
    window[2, 1] = 23
    assert (window[1, 0], window[4, 1], window[2, 1]) == (21, 22, 23)
    with pytest.raises(IndexError):
        window[memory["depth"]]
    with pytest.raises(IndexError):
        array[[len(array)]]
    with pytest.raises((OverflowError, ValueError)):
        array[int(places[0, 0])] = "one"
    assert not partial(board)


STORES: dict[str, Callable[[Any, np.ndarray], Any]] = {
    "slice": lambda part, words: part.__setitem__(slice(0, 4), words[:4]),
    "slice of one": lambda part, words: part.__setitem__(slice(2, 3), words[:1]),
    "strided slice": lambda part, words: part.__setitem__(slice(0, 8, 2), words[:4]),
    "fill": lambda part, words: part.__setitem__(slice(None), 7),
    "everything": lambda part, words: part.__setitem__(..., words),
    "mask": lambda part, words: part.__setitem__(np.arange(8) > 5, words[:2]),
    "indices and a slice": lambda part, words: part.reshape(2, 4).__setitem__(
        ([0, 1], slice(0, 2)), 7
    ),
    "a row": lambda part, words: part.reshape(2, 4).__setitem__(1, words[:4]),
    "byte": lambda part, words: part.view(np.uint8).__setitem__(1, 7),
    "bytes by an index array": lambda part, words: part.view(np.uint8).__setitem__([0, 1, 2], 7),
    "half a word": lambda part, words: part.view(np.uint16).__setitem__(1, 7),
}
LIBRARY_STORES: dict[str, Callable[[Any, np.ndarray], Any]] = {
    "64 bits": lambda part, words: part.view(np.uint64).__setitem__(0, 7),
    "copyto": np.copyto,
    "put": lambda part, words: np.put(part, [0, 1], 7),
    "ufunc": lambda part, words: np.add(words, 1, out=part),
    "in place": lambda part, words: part.__ior__(1),
    "ufunc at": lambda part, words: np.add.at(part, [0, 1], 1),
    "function": lambda part, words: np.clip(words, 1, 2, out=part),
}


@pytest.mark.parametrize("how", STORES)
def test_less_than_words_are_refused_by_the_rtl(board: Board, how: str) -> None:
    """numpy's memmove stores bytes on ARM; the accelerator sees their strobes and refuses them."""
    places = board.places(board.description["memories"][0]).reshape(-1)[:8]
    words = np.arange(1, 9, dtype=np.uint32)
    board.accel.array[places] = words
    assert not partial(board)
    part = board.accel.array[int(places[0]) : int(places[0]) + 8]
    assert "less than a word" in refused(lambda: STORES[how](part, words + 100))
    assert partial(board)
    np.testing.assert_array_equal(board.accel.array[places], words)


@pytest.mark.parametrize("how", LIBRARY_STORES)
def test_stores_of_no_certain_width_are_refused(board: Board, how: str) -> None:
    places = board.places(board.description["memories"][0]).reshape(-1)[:8]
    words = np.arange(1, 9, dtype=np.uint32)
    board.accel.array[places] = words
    part = board.accel.array[int(places[0]) : int(places[0]) + 8]
    refused(lambda: LIBRARY_STORES[how](part, words + 100))
    np.testing.assert_array_equal(board.accel.array[places], words)


@pytest.mark.parametrize("how", ["slice", "byte", "half a word", "fill"])
def test_other_registers_take_whole_words_only(board: Board, how: str) -> None:
    words = np.arange(8, dtype=np.uint32)
    clocks = pynq.MMIO(0xF800_0170, 0x40)
    for array in board.dma.mmio.array, clocks.array:
        before = array[[0, 1, 2, 3]]
        assert "less than a word" in refused(lambda: STORES[how](array[0:8], words))  # noqa: B023
        np.testing.assert_array_equal(array[[0, 1, 2, 3]], before)


def test_a_copy_that_was_not_asked_for_cannot_be_written(board: Board) -> None:
    """On a board np.asarray gives the registers themselves."""
    same = np.asarray(board.accel.array[0:4])
    with pytest.raises(ValueError, match="read-only"):
        same[0] = 1
    np.array(board.accel.array[0:4])[0] = 1


def test_narrow_reads_give_their_part_of_the_word(board: Board) -> None:
    """A read has no strobes: bytes and half words are read as they lie, wider items not at all."""
    first = board.places(board.description["memories"][0])[0, 0]
    board.accel.array[[first, first + 1]] = [0x04030201, 0x08070605]
    part = board.accel.array[int(first) : int(first) + 2]
    assert np.array(part.view(np.uint8)).tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert part.view(np.uint8)[[5, 0]].tolist() == [6, 1]
    assert part.view(np.uint16)[3] == 0x0807
    assert part.view(np.int32)[1] == 0x08070605
    assert part.view(np.uint8)[4:8].view(np.uint32)[0] == 0x08070605
    assert "wider than the bus" in refused(lambda: part.view(np.uint64)[0])
    with pytest.raises(ValueError, match="whole ranges"):
        board.accel.array[0:8:2].view(np.uint8)


def test_a_slice_is_read_byte_by_byte(board: Board) -> None:
    """Four accesses a word, as memmove may make them; an index array makes one."""
    library = board.device.library
    row = board.places(board.description["memories"][0])[0]
    assert not board.accel.array[row].any()
    start = library.cycles
    words = board.accel.array[row]
    once = library.cycles - start
    np.testing.assert_array_equal(
        np.array(board.accel.array[int(row[0]) : int(row[-1]) + 1]), words
    )
    assert 3.5 * once < library.cycles - start - once <= 4 * once


def test_bytes_through_pynq_are_words(board: Board) -> None:
    first = board.description["memories"][0]["base"]
    board.accel.write(first, np.array([1, 2, 3], np.uint32).tobytes())
    assert board.accel.array[[first // 4, first // 4 + 1, first // 4 + 2]].tolist() == [1, 2, 3]


def test_a_missing_flush_shows(board: Board, golden: Golden) -> None:
    board.load_weights()
    images = golden["images"]
    assert len(set(golden["labels"].reshape(-1).tolist())) > 1
    pixels, labels = pynq.allocate(images.shape, np.uint8), pynq.allocate(len(images), np.uint32)
    board.accel.write(board.offset("FRAMES_PER_TRANSFER"), len(images))
    pixels[:] = images
    begin(board, S2MM, labels, labels.nbytes)
    begin(board, MM2S, pixels, pixels.nbytes)  # what the DMA sees are zeros still
    assert finished(board, S2MM)
    labels.invalidate()
    assert len(set(labels.tolist())) == 1
    pixels.flush()
    begin(board, S2MM, labels, labels.nbytes)
    begin(board, MM2S, pixels, pixels.nbytes)
    assert finished(board, S2MM)
    labels.invalidate()
    np.testing.assert_array_equal(labels, golden["labels"].reshape(-1))


def test_a_missing_invalidate_shows(board: Board, golden: Golden) -> None:
    board.load_weights()
    images = golden["images"][:4]
    pixels, labels = pynq.allocate(images.shape, np.uint8), pynq.allocate(4, np.uint32)
    board.accel.write(board.offset("FRAMES_PER_TRANSFER"), 4)
    pixels[:] = images
    labels[:] = 0xFFFF
    pixels.flush()
    labels.flush()
    begin(board, S2MM, labels, 16)
    begin(board, MM2S, pixels, pixels.nbytes)
    assert finished(board, S2MM)
    assert (labels == 0xFFFF).all()
    labels.invalidate()
    np.testing.assert_array_equal(labels, golden["labels"].reshape(-1)[:4])


def test_uncached_memory_needs_neither(board: Board, golden: Golden) -> None:
    board.load_weights()
    pixels = board.device.allocate((1, 784), np.uint8, cacheable=0)
    labels = board.device.allocate((1,), np.uint32, cacheable=0)
    pixels[:] = golden["images"][:1]
    begin(board, S2MM, labels, 4)
    begin(board, MM2S, pixels, 784)
    assert finished(board, S2MM)
    assert labels[0] == golden["labels"].reshape(-1)[0]


def test_part_of_a_buffer_is_flushed_in_its_place(board: Board) -> None:
    buffer = pynq.allocate(8, np.uint32)
    buffer[:] = np.arange(8)
    buffer[2:4].flush()
    buffer[:] = 99
    buffer.invalidate()
    assert buffer.tolist() == [0, 0, 2, 3, 0, 0, 0, 0]


def test_without_tlast_a_transfer_never_completes(board: Board, golden: Golden) -> None:
    board.device.dma.stall_limit = 20_000
    board.accel.write(board.offset("FRAMES_PER_TRANSFER"), 5)
    pixels, labels = pynq.allocate((3, 784), np.uint8), pynq.allocate(3, np.uint32)
    pixels[:] = golden["images"][:3]
    board.dma.recvchannel.transfer(labels)
    board.dma.sendchannel.transfer(pixels)
    board.dma.sendchannel.wait()
    message = "dma S2MM never completes: its buffer is full but TLAST has not come; 12 of 12 bytes"
    with pytest.raises(TimeoutError, match=message):
        board.dma.recvchannel.wait()


def test_tlast_ends_a_transfer_early(board: Board) -> None:
    board.accel.write(board.offset("FRAMES_PER_TRANSFER"), 2)
    pixels, labels = pynq.allocate((2, 784), np.uint8), pynq.allocate(10, np.uint32)
    board.dma.recvchannel.transfer(labels)
    board.dma.sendchannel.transfer(pixels)
    board.dma.recvchannel.wait()
    assert board.dma.recvchannel.transferred == 8


def test_frames_that_do_not_come(board: Board) -> None:
    board.device.dma.stall_limit = 20_000
    labels = pynq.allocate(1, np.uint32)
    board.dma.recvchannel.transfer(labels)
    with pytest.raises(TimeoutError, match="S2MM never completes: the accelerator gives no more"):
        board.dma.recvchannel.wait()


def test_input_that_nobody_takes(board: Board) -> None:
    board.device.dma.stall_limit = 20_000
    pixels = pynq.allocate((200, 784), np.uint8)
    board.dma.sendchannel.transfer(pixels)  # and nobody receives the labels
    with pytest.raises(TimeoutError, match="MM2S never completes: the accelerator takes no more"):
        board.dma.sendchannel.wait()


def test_a_transfer_goes_on_while_registers_are_read(board: Board) -> None:
    board.accel.write(board.offset("FRAMES_PER_TRANSFER"), 20)
    pixels, labels = pynq.allocate((20, 784), np.uint8), pynq.allocate(20, np.uint32)
    board.dma.recvchannel.transfer(labels)
    board.dma.sendchannel.transfer(pixels)
    idle = 1 << board.registers["STATUS"]["fields"]["idle"]["lsb"]
    assert not board.accel.read(board.offset("STATUS")) & idle
    while not board.accel.read(board.offset("STATUS")) & idle:
        pass
    assert finished(board, S2MM) and finished(board, MM2S)
    assert board.dma.mmio.read(S2MM + STATUS) & COMPLETE


def test_a_reset_in_the_middle(board: Board, golden: Golden) -> None:
    board.load_weights()
    board.device.dma.stall_limit = 20_000
    labels = pynq.allocate(10, np.uint32)
    pixels = pynq.allocate((10, 784), np.uint8)
    board.dma.recvchannel.transfer(labels)
    board.dma.sendchannel.transfer(pixels)
    board.accel.read(board.offset("STATUS"))
    board.dma.mmio.write(MM2S, 0x4)  # the DMA's reset
    board.accel.write(board.offset("CONTROL"), 1)  # the accelerator's
    assert board.dma.mmio.read(MM2S + STATUS) & 1 and board.dma.mmio.read(S2MM + STATUS) & 1
    board.dma.sendchannel.start()
    board.dma.recvchannel.start()
    np.testing.assert_array_equal(
        board.classify(golden["images"][:5]), golden["labels"].reshape(-1)[:5]
    )


@pytest.mark.parametrize("command", ["reset", "stop"])
def test_a_word_that_nobody_takes_goes_with_its_transfer(
    board: Board, golden: Golden, command: str
) -> None:
    board.load_weights()
    board.device.dma.stall_limit = 20_000
    board.dma.sendchannel.transfer(pynq.allocate((200, 784), np.uint8))  # nobody takes the labels
    with pytest.raises(TimeoutError, match="MM2S never completes"):
        board.dma.sendchannel.wait()
    if command == "reset":
        board.dma.mmio.write(MM2S, 0x4)
    else:
        board.dma.sendchannel.stop()
    board.accel.write(board.offset("CONTROL"), 1)
    fields = board.registers["STATUS"]["fields"]
    idle, busy = 1 << fields["idle"]["lsb"], 1 << fields["busy"]["lsb"]
    while board.accel.read(board.offset("STATUS")) & busy:
        pass
    assert board.accel.read(board.offset("STATUS")) & idle
    board.dma.sendchannel.start()
    board.dma.recvchannel.start()
    np.testing.assert_array_equal(
        board.classify(golden["images"][:5]), golden["labels"].reshape(-1)[:5]
    )


def test_a_stopped_channel_begins_nothing(board: Board) -> None:
    board.dma.sendchannel.stop()
    with pytest.raises(RuntimeError, match="not started"):
        board.dma.sendchannel.transfer(pynq.allocate(784, np.uint8))
    begin(board, MM2S, pynq.allocate(784, np.uint8), 784)
    assert not finished(board, MM2S)


def test_addresses_that_are_no_memory(board: Board) -> None:
    buffer = pynq.allocate(784, np.uint8)
    begin(board, MM2S, buffer, buffer.nbytes + 1)
    with pytest.raises(RuntimeError, match="not started"):
        board.dma.sendchannel.wait()  # the error halted it
    assert board.dma.mmio.read(MM2S + STATUS) & 0x40
    board.dma.sendchannel.start()
    begin(board, MM2S, buffer, 0)
    assert board.dma.mmio.read(MM2S + STATUS) & 0x10


def test_a_register_that_never_answers(board: Board) -> None:
    board.device.accelerator.access_limit = 1
    with pytest.raises(TimeoutError, match=r"read from accelerator address 0x4 .* in 1 cycles"):
        board.accel.read(4)


def test_a_bus_error_names_the_address(board: Board) -> None:
    with pytest.raises(OSError, match="write to accelerator address 0x3000 was answered with an"):
        board.accel.write(0x3000, 1)
    assert board.accel.read(board.offset("ID")) == 0x5350494E


def test_no_slave(board: Board) -> None:
    """Whatever is mapped, an access where nothing is gets a bus error."""
    nothing = pynq.MMIO(0x5000_0000, 16)
    assert "no slave answers at 0x50000004" in refused(lambda: nothing.read(4))
    assert "no slave answers at 0x50000000" in refused(lambda: nothing.write(0, 1))
    accel = board.description["address_map"]["accel"]
    beyond = pynq.MMIO(accel["base"] + accel["range"] - 4, 0x2_0000)
    assert "no slave" in refused(lambda: beyond.read(0x1_0004))
    assert "not the address of a word" in refused(lambda: pynq.MMIO(accel["base"] + 2, 16))


def test_beyond_the_address_bits(board: Board) -> None:
    """The accelerator's address bits end before its range: another address would answer."""
    memories = [m for m in board.description["memories"] if m["kind"] == "weights"]
    end = max(m["base"] + m["stride"] * m["depth"] for m in memories)
    beyond = 1 << (end - 1).bit_length()
    assert beyond < board.description["address_map"]["accel"]["range"]
    assert "beyond its" in refused(lambda: board.accel.read(beyond))
    assert "beyond its" in refused(lambda: board.accel.write(beyond, 1))
    with pytest.raises(OSError, match="answered with an error"):
        board.accel.read(beyond - 4)


def test_before_anything_is_loaded() -> None:
    """On a board the processor hangs; nothing hangs here."""
    device = spinflow.sim.board.VirtualBoard()
    registers = pynq.MMIO(0x4000_0000, 16, device=device)
    for access in (lambda: registers.read(0)), (lambda: registers.write(0, 1)):
        with pytest.raises(TimeoutError, match="nothing is loaded that could answer at 0x40000000"):
            access()


def test_a_dma_without_realignment(board: Board) -> None:
    buffer = pynq.allocate(1024, np.uint8)
    with pytest.raises(RuntimeError, match="unaligned transfers"):
        board.dma.sendchannel.transfer(buffer, start=2)
    board.dma.mmio.write(MM2S + ADDRESS, buffer.physical_address + 2)
    message = refused(lambda: board.dma.mmio.write(MM2S + LENGTH, 784))
    assert "no realignment engine" in message
    assert not finished(board, MM2S)


def test_a_length_beyond_its_register_is_cut(board: Board) -> None:
    bits = board.description["dma"]["length_bits"]
    buffer = pynq.allocate(784, np.uint8)
    begin(board, MM2S, buffer, (1 << bits) + 784)
    assert board.dma.mmio.read(MM2S + LENGTH) == 784
    assert finished(board, MM2S)
    with pytest.raises(ValueError, match="exceeds the maximum DMA buffer size"):
        board.dma.sendchannel.transfer(buffer, nbytes=1 << bits)


def test_a_buffer_freed_during_its_transfer(board: Board) -> None:
    labels = pynq.allocate(4, np.uint32)
    begin(board, S2MM, labels, labels.nbytes)
    del labels
    assert "dma S2MM: the buffer" in refused(lambda: finished(board, S2MM))
    board.dma.recvchannel.start()
    labels = pynq.allocate(4, np.uint32)
    begin(board, S2MM, labels, labels.nbytes)
    place = labels.physical_address
    del labels
    other = pynq.allocate(4, np.uint32)
    assert other.physical_address == place
    assert "freed during" in refused(lambda: board.accel.read(0))


def test_clocks(board: Board) -> None:
    assert pynq.Clocks.fclk0_mhz == pytest.approx(board.description["clock_mhz"])
    pynq.Clocks.fclk0_mhz = 50
    assert pynq.Clocks.fclk0_mhz == pytest.approx(50)
    pynq.Clocks.fclk0_mhz = board.description["clock_mhz"]


def test_memory_comes_back(board: Board) -> None:
    first = pynq.allocate(1 << 20, np.uint8)
    second = pynq.allocate(1 << 20, np.uint8)
    assert first.physical_address % 4096 == second.physical_address % 4096 == 0
    assert abs(first.physical_address - second.physical_address) >= 1 << 20
    place = first.physical_address
    del first
    assert pynq.allocate(1 << 20, np.uint8).physical_address == place


def test_memory_is_as_scarce_as_on_the_board(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """128 MB of contiguous memory, and pynq's own error when they are used up."""
    # Buffers of other tests may be alive.
    monkeypatch.setattr(
        pynq.Device.active_device,
        "_memory",
        spinflow.sim.board.DmaMemory(boards.board().image.dma_memory),
    )
    kept = [pynq.allocate(1 << 25, np.uint8) for _ in range(3)]
    with pytest.raises(RuntimeError, match="bytes of DMA memory are left"):
        pynq.allocate((1 << 25) + 1, np.uint8)
    assert len({buffer.physical_address for buffer in kept}) == 3
    pynq.allocate(1 << 25, np.uint8)
