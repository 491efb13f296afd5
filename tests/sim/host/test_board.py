"""The virtual board under stock pynq: what works on a board works, what fails there fails here."""

from typing import Any

import numpy as np
import pynq
import pytest

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
    assert np.array(board.window(board.description["memories"][0])).any()
    assert not np.array(Board().window(board.description["memories"][0])).any()


def test_windows_index_as_arrays_do(board: Board) -> None:
    memory = board.description["memories"][0]
    window = board.window(memory)
    shape = (memory["depth"], memory["segments"])
    assert window.shape == shape and len(window) == memory["depth"]
    values = np.random.default_rng(3).integers(0, 1 << 32, shape, dtype=np.uint32)
    values[:, -1] &= 0xFFFFFFFF >> (-memory["width"] % 32)
    window[...] = values
    np.testing.assert_array_equal(np.array(window), values)
    np.testing.assert_array_equal(window[3:9:2, 1].copy(), values[3:9:2, 1])
    np.testing.assert_array_equal(np.asarray(window[-1]), values[-1])
    assert window[2, 1] == values[2, 1]
    window[5] = 0
    window[6, 0] = 1
    values[5], values[6, 0] = 0, 1
    np.testing.assert_array_equal(np.array(window), values)
    with pytest.raises(TypeError, match="integers and slices only"):
        window[[1, 2]]
    with pytest.raises(IndexError):
        window[memory["depth"]]
    with pytest.raises(TypeError, match="as uint32"):
        window.view(np.uint8)


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
    with pytest.raises(OSError, match="no slave answers at 0x50000000 to 0x5000000f"):
        pynq.MMIO(0x5000_0000, 16)


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
    with pytest.raises(MemoryError, match="bytes of DMA memory are left"):
        pynq.allocate(1 << 29, np.uint8)
