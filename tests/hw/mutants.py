"""Wrong variants of the RTL, each of which a bench must reject: the proof that the benches bite.

`python -m tests.hw.mutants [--sample N]` prints the list with its results and writes
out/mutants.json. A mutant replaces one piece of text, which its file must contain exactly once. It
counts as caught when its bench, which passes on the RTL as it stands, builds and fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from tests.hw import runner
from tests.hw.catalogue import CASES, Case
from tests.hw.coded_mutants import CODED_MUTANTS
from tests.hw.window_mutants import WINDOW_MUTANTS

RESULTS = runner.REPOSITORY / "out" / "mutants.json"
PROCESSES = 2


class Mutant(NamedTuple):
    """One wrong variant and the case of the catalogue that must fail on it."""

    name: str
    file: str
    old: str
    new: str
    case: str


@dataclass
class Verdict:
    """What became of a mutant."""

    name: str
    case: str
    caught: bool
    reason: str


ENGINE = "draw_engine-NumWeights3-NumMems5-NumAsks2"
AHEAD = "run_ahead-Width4-RunAhead16-Ports1"
AHEAD_WORD = "run_ahead-Width24-RunAhead8-Ports1"
AHEAD_PORTS = "run_ahead-Width8-RunAhead16-Ports2"
BUFFER = "buffer_mem-Width8-Depth7-RunAhead16-Ports1-WithErrors1"
PLAIN_BUFFER = "buffer_mem-Width5-Depth11-RunAhead16-Ports1-WithErrors0"
PORT = "weight_port-AddrWidth16-NumWeights2"
WIDE_PORT = "weight_port-AddrWidth16-NumWeights4"
WIDE_MEM = "weight_mem-Width650-Depth3"
MVU = "binary_mvu-Mw24-Mh6-Pe2-Simd8-InBits1-HasThreshold1-OutBits1"
POPCOUNTS = "binary_mvu-Mw16-Mh10-Pe1-Simd8-InBits1-HasThreshold0-OutBits5"
ONE_FOLD = "binary_mvu-Mw16-Mh8-Pe2-Simd16-InBits1-HasThreshold1-OutBits1"
LONG = "binary_mvu-Mw24-Mh20-Pe2-Simd8-InBits1-HasThreshold1-OutBits1"
PADDED_PIXELS = "binary_mvu-Mw36-Mh6-Pe2-Simd4-InBits1-HasThreshold1-OutBits1"
PADDED_PARTS = "binary_mvu-Mw36-Mh2-Pe2-Simd6-InBits1-HasThreshold1-OutBits1"
PADDED_ROWS = "binary_mvu-Mw45-Mh4-Pe2-Simd15-InBits1-HasThreshold1-OutBits1"
PADDED_WINDOW = "binary_mvu-Mw27-Mh20-Pe2-Simd27-InBits1-HasThreshold1-OutBits1"
PIXELS = "binary_mvu-Mw27-Mh8-Pe4-Simd3-InBits8-HasThreshold1-OutBits1"
WIDE_PIXELS = "binary_mvu-Mw27-Mh6-Pe3-Simd27-InBits8-HasThreshold1-OutBits1"
TREE = "popcount_tree-Width64"
WIDE_TREE = "popcount_tree-Width200"
BLOCK_ROM = "binary_mvu-Mw8-Mh256-Pe1-Simd8-InBits1-HasThreshold1-OutBits1"
DEEP_MEM = "weight_mem-Width100-Depth70"
BLOCK_RAM = "block_ram-Width9-Depth70"
SPLIT_RAM = "block_ram-Width36-Depth1200"
POOL = "bin_maxpool-Rows5-Columns7-Folds3-Pe3-Size2"
LABEL = "label_select-Labels10-Pe5-InBits11"
MANY_LABELS = "label_select-Labels1000-Pe125-InBits12"
SCORES = "class_scores-Labels15-Pe5-InBits11-ScoreBits15-GainBits3-Shift0-OffsetBits12"
LONG_SCORES = "class_scores-Labels10-Pe1-InBits7-ScoreBits13-GainBits6-Shift0-OffsetBits9"
EQUAL_SCORES = "class_scores-Labels21-Pe7-InBits4-ScoreBits7-GainBits0-Shift1-OffsetBits6"
COUNTERS = "counter_bank-NumWeights3-NumBuffers2"
REGS = "memory_regs-NumWeights3-NumBuffers2"
FRAMES = "frame_io-InBeats5"
SLAVE = "axil_slave-AddrWidth10"
DEEP_PORT = "weight_port-AddrWidth20-NumWeights2"
CROP = "stream_crop-Rows5-Columns7-OutRows4-OutColumns6-Folds2-Bits8"
SHELL = "accel_shell-AddrWidth16-NumWeights2-NumBuffers2-InBeats3-NumResets3"
TIMES = "frame_times-Width7-OpenWidth6"

MUTANTS = [
    *(Mutant(*each) for each in WINDOW_MUTANTS),
    *(Mutant(*each) for each in CODED_MUTANTS),
    Mutant("wrong rotation in the random stream", "draw_pipe.sv",
           "rol(base[r], 3 * j)", "rol(base[r], 2 * j)", "draw_pipe"),
    Mutant("the keys of the rounds since the base forgotten", "draw_pipe.sv",
           "y_key ^= rol(", "y_key ^= 0 & rol(", "draw_pipe"),
    Mutant("the base of the first half in the second one", "draw_pipe.sv",
           "assign base[r] = turned[r-1];", "assign base[r] = seed_i;", "draw_pipe"),
    Mutant("a block's seed is that of the block behind it", "draw_pipe.sv",
           "base_q <= base[r-1];", "base_q <= seed_i;", "draw_pipe"),
    Mutant("a rate of always lets a draw of all ones pass", "draw_engine.sv",
           "rate1[cfg_index] <= {&cfg_write_i.data,", "rate1[cfg_index] <= {1'b0,", ENGINE),
    Mutant("a draw equal to the threshold errs", "draw_engine.sv",
           "rate0[cfg_index] <= {&cfg_write_i.data,", "rate0[cfg_index] <= {1'b1,", ENGINE),
    Mutant("a lead equal to the rate's errs", "less_than.sv",
           "a_i <= b_i : a_i < b_i", "a_i <= b_i : a_i <= b_i", ENGINE),
    Mutant("ties are not looked at", "draw_engine.sv",
           "again       <= compared_q && {tie1, tie0} != '0;", "again       <= 1'b0;", ENGINE),
    Mutant("ties with rate0 are not looked at", "draw_engine.sv",
           "|{out_q.tie1[2*p+:2], out_q.tie0[2*p+:2]}", "|out_q.tie1[2*p+:2]", ENGINE),
    Mutant("a tail is compared with the other rate", "draw_engine.sv",
           "compare_q.tie0 & of_pair & {4{below0_q}}", "compare_q.tie0 & of_pair & {4{below1_q}}",
           ENGINE),
    Mutant("the tails of a pair in the wrong order", "draw_engine.sv",
           "tail = w == 0 ? word0[31:8] : word1[31:8]", "tail = w == 1 ? word0[31:8] : word1[31:8]",
           ENGINE),
    Mutant("the second round of a block takes other tails", "draw_engine.sv",
           "tail_before_q <= out_q.tail;", "tail_before_q <= 1'b0;", ENGINE),
    Mutant("the leads of a tail's block count", "draw_engine.sv",
           "    if (round_q[Rounds].tail) begin", "    if (1'b0) begin", ENGINE),
    Mutant("a grant during a tie", "draw_engine.sv",
           "grant_o[a] = chosen[a] && !again;", "grant_o[a] = chosen[a];", ENGINE),
    Mutant("a stream that starts anew goes on", "draw_engine.sv",
           "first_q ? PosWidth'(start_at_q)", "1'b0 ? PosWidth'(start_at_q)", ENGINE),
    Mutant("streams share a seed", "draw_engine.sv",
           "seed_q     <= seed[enter_q.memory];", "seed_q     <= seed[0];", ENGINE),
    Mutant("a lead block's number has 30 bits", "draw_engine.sv",
           "round_q[0].block <= next_place;", "round_q[0].block <= 31'(next_place[29:0]);", ENGINE),
    Mutant("a tail block's number has 28 bits of the lead's", "draw_engine.sv",
           "{enter_q.block[PosWidth-3:0], pair_q}", "{1'b0, enter_q.block[PosWidth-4:0], pair_q}",
           ENGINE),
    Mutant("draws of before a restart are kept", "run_ahead.sv",
           "!rst_ni || restart_i) flush_q", "!rst_ni) flush_q", AHEAD),
    Mutant("draws of before a reset are kept", "run_ahead.sv",
           "!rst_ni || restart_i) flush_q", "restart_i) flush_q", AHEAD),
    Mutant("a word of before a restart stays at the output", "run_ahead.sv",
           "!rst_ni || restart_i || flush_q) valid_o", "1'b0) valid_o", AHEAD),
    Mutant("a restarted stream goes on", "run_ahead.sv",
           "if (flush_q)         first_q <= 1'b1;", "if (1'b0)            first_q <= 1'b1;", AHEAD),
    Mutant("a slot is read before all of it is there", "run_ahead.sv",
           "assign present[Block] = turn == head_q.turn;",
           "assign present[Block] = Block > 0 || turn == head_q.turn;", AHEAD_WORD),
    Mutant("a slot that was begun is left at a restart", "run_ahead.sv",
           "behind = ask_q.step != '0;", "behind = 1'b0;", AHEAD_WORD),
    Mutant("a port that is behind is left at a restart", "run_ahead.sv",
           "full[k]))) behind = 1'b1;", "full[k]))) behind = behind;", AHEAD_PORTS),
    Mutant("both ports ask for the same blocks", "run_ahead.sv",
           "start:   3'(p),", "start:   3'(0),", AHEAD_PORTS),
    Mutant("the store overflows", "run_ahead.sv",
           "(may_begin && next_q != {~head_q.turn, head_q.slot})", "may_begin", AHEAD),
    Mutant("the words of a slot in the wrong order", "run_ahead.sv",
           "hit1_o <= words1[part_q];", "hit1_o <= words1[PartWidth'(Words - 1) - part_q];", AHEAD),
    Mutant("switch mode errs on bits that stay", "error_bits.sv",
           "error = hit & switched_o;", "error = hit & mask_i;", "error_write-Width32"),
    Mutant("padding is counted as switched", "error_bits.sv",
           "(target_i ^ old_i) & mask_i", "target_i ^ old_i", "error_write-Width32"),
    Mutant("errors on zeros counted as errors on ones", "error_bits.sv",
           "err1_o   = error & target_i;", "err1_o   = error;", "error_write-Width32"),
    Mutant("old value of the word that is written last", "buffer_mem.sv",
           "? mem[old_addr_q] : '0;", "? mem[write_addr_q] : '0;", BUFFER),
    Mutant("wrapped flag ignored", "buffer_mem.sv",
           "wrapped_q || old_addr_q == '0 ? mem", "1'b1 ? mem", BUFFER),
    Mutant("wrapped flag a word late", "buffer_mem.sv",
           "wrapped_q || old_addr_q == '0 ? mem", "wrapped_q ? mem", BUFFER),
    Mutant("wrapped flag not reset", "buffer_mem.sv",
           "        wrapped_q  <= 1'b0;\n", "", BUFFER),
    Mutant("write address wraps at a power of two", "buffer_mem.sv",
           "addr == AddrWidth'(Depth - 1) ? '0 : addr + 1'b1;", "addr + 1'b1;", BUFFER),
    Mutant("a plain buffer waits for its reader", "buffer_mem.sv",
           "assign draws_ready = 1'b1;", "assign draws_ready = out_ready_i;", PLAIN_BUFFER),
    Mutant("a full buffer counts as stalled", "buffer_mem.sv",
           "in_valid_i && !full_q && !draws_ready", "in_valid_i && !in_ready_o", BUFFER),
    Mutant("a write reaches its neighbour's column", "weight_mem.sv",
           "fine_q[c%2**FineBits]", "fine_q[(c+1)%2**FineBits]", WIDE_MEM),
    Mutant("the upper bits of the columns mixed up", "weight_mem.sv",
           "rd_data_o[64*Columns+8*c+:High] = rdata[Low+:High]",
           "rd_data_o[64*Columns+8*c+:High] = rdata[Low-1+:High]", WIDE_MEM),
    Mutant("a column that the host did not mean is given out", "weight_mem.sv",
           "answer_q[1] && !selected", "1'b0", WIDE_MEM),
    Mutant("the output register of a block RAM follows at once", "block_ram.sv",
           "else if (take_i) rdata_o <= word;", "else rdata_o <= word;", DEEP_MEM),
    Mutant("a block RAM reads while it writes", "block_ram.sv",
           "re_i && (BothAtOnce || !we_i)", "re_i", BLOCK_RAM),
    Mutant("a block RAM in two parts gives the lower one", "block_ram.sv",
           "upper_q ? read_q[Parts-1] : read_q[0]", "read_q[0]", SPLIT_RAM),
    Mutant("both parts of a block RAM are written", "block_ram.sv",
           "waddr_i[AddrWidth-1] == 1'(p)", "1'b1", SPLIT_RAM),
    Mutant("the middle of a column answered twice", "weight_mem.sv",
           "host_rdata_o <= 32'(column[71:64]);", "host_rdata_o <= column[63:32];", WIDE_MEM),
    Mutant("words beyond 2^15 at the place of others", "weight_decode.sv",
           "16'((32'(addr_i) & (Size - 1)) >> WordLsb)",
           "16'(15'((32'(addr_i) & (Size - 1)) >> WordLsb))", DEEP_PORT),
    Mutant("a write's bytes all of the first block", "weight_errors.sv",
           "error_o[8*b+:8] <= error;", "error_o[7:0] <= error;", PORT),
    Mutant("draws of a write that a reset ended are taken", "weight_errors.sv",
           "from.write == write_q && !begin_i", "1'b1", PORT),
    Mutant("a weight errs by the rate of the other target", "weight_errors.sv",
           "? answer_i.hit1[b] : answer_i.hit0[b]", "? answer_i.hit0[b] : answer_i.hit1[b]", PORT),
    Mutant("a weight errs in switch mode though it stays", "weight_errors.sv",
           "flip_q    <= mode_i == ModeFlip;", "flip_q    <= mode_i != ModeOff;", PORT),
    Mutant("bits that do not exist err", "weight_errors.sv",
           "{8{flip_q}}) & mask_q", "{8{flip_q}})", PORT),
    Mutant("a spread segment's draws before its old value", "weight_port.sv",
           "(state_q == StDraw || (!spread &&", "(state_q == StDraw || (1'b1 &&", WIDE_PORT),
    Mutant("a spread segment overwrites its columns", "weight_port.sv",
           "!spread && !upper_half ? stored : low_q", "!upper_half ? stored : low_q", WIDE_PORT),
    Mutant("a spread segment put back in its first column only", "weight_port.sv",
           "spread ? pass_q : column_index[1:0]", "column_index[1:0]", WIDE_PORT),
    Mutant("a commit does not wait for its counts to be taken", "weight_port.sv",
           "if (count_ready_i) state_d = last_pass_q", "state_d = last_pass_q", PORT),
    Mutant("counts change while they are added up", "weight_port.sv",
           "state_q == StDecode && count_ready_i", "state_q == StDecode", PORT),
    Mutant("idle not looked at", "weight_port.sv", "idle_i && hit", "hit", PORT),
    Mutant("a configured memory's stream goes on", "weight_errors.sv",
           "if (restart_i[m]) started_q", "if (1'b0) started_q", PORT),
    Mutant("soft reset leaves the streams", "weight_errors.sv",
           "!rst_ni || soft_reset_i", "!rst_ni", PORT),
    Mutant("acknowledge with the commit", "weight_port.sv",
           "state_q == StAck;", "state_q == (we_i && !err_o ? StWrite : StAck);", PORT),
    Mutant("B before the acknowledge", "axil_slave.sv",
           "active_q && (ack_i || partial_o);", "active_q && (ack_i || we_o);", SLAVE),
    *(
        Mutant(f"byte strobe {byte} not looked at", "axil_slave.sv",
               "wstrb_i == 4'hF", f"(wstrb_i | 4'd{1 << byte}) == 4'hF", SLAVE)
        for byte in range(4)
    ),
    Mutant("a part of a word refused with OKAY", "axil_slave.sv",
           "err_i || partial_o ?", "err_i ?", SLAVE),
    Mutant("a part of a word reaches the bus", "axil_slave.sv",
           "start && (whole_q || !can_write)", "start", SLAVE),
    Mutant("a read refused for the write that waits", "axil_slave.sv",
           "active_q && we_o && !whole_q", "active_q && !whole_q", SLAVE),
    Mutant("write data taken again while it waits", "axil_slave.sv",
           "if (wvalid_i && wready_o) begin", "if (wvalid_i) begin", SLAVE),
    Mutant("AND for XNOR", "xnor_popcount.sv",
           "$countones(~(a_i ^ b_i))", "$countones(a_i & b_i)", "xnor_popcount-Width49"),
    Mutant("six bits count as three too few", "popcount_tree.sv",
           "Init (ones(2))", "Init (ones(3))", TREE),
    Mutant("a fifth bit where there are four", "popcount_tree.sv",
           "(Last - 5 * g) % 2 == 0 ? {b_i[Last], a_i[Last]} : 2'b10",
           "{b_i[Last], a_i[Last]}", TREE),
    Mutant("the third row of the tree is dropped", "popcount_tree.sv",
           "third = Heights[Levels][c] == 3 &&", "third = Heights[Levels][c] == 4 &&", TREE),
    Mutant("the carries of the tree's last adders are dropped", "popcount_tree.sv",
           "count_o <= sums + rest;", "count_o <= sums;", TREE),
    Mutant("all stages of the tree take new values at once", "popcount_tree.sv",
           "if (en_i[stage_before(l)])", "if (en_i[0])", WIDE_TREE),
    Mutant("threshold off by one", "binary_mvu.sv",
           "= total[p][AccBits-1];", "= total[p] > AccBits'(1 << (AccBits - 1));", MVU),
    Mutant("thresholds do not follow the outputs", "row_rom.sv",
           "row_o  <= rom[copy_q];", "row_o  <= rom[copy_q ^ RowWidth'(1)];", LONG),
    Mutant("a table in block RAM begins with its second row", "row_rom.sv",
           "empty_q   <= '1;", "empty_q   <= 2'd1;", BLOCK_ROM),
    Mutant("the last row of a table left out", "row_rom.sv",
           "RowWidth'(Rows - 1)", "RowWidth'(Rows - 2)", LONG_SCORES),
    Mutant("a table goes on after a reset", "row_rom.sv",
           "      address_q <= '0;\n", "", BLOCK_ROM),
    Mutant("accumulator not started anew", "binary_mvu.sv",
           "first ? start[p] : acc_q", "acc_q", POPCOUNTS),
    Mutant("a fold of padding counts by its weights", "bit_dot.sv",
           "missing != '0 ? Width'(Simd) : {count[p], 1'b0}", "{count[p], 1'b0}", PADDED_PIXELS),
    Mutant("padded places count as agreeing", "bit_dot.sv",
           "{count[p], 1'b0} - Width'(missing)", "{count[p], 1'b0}", PADDED_PARTS),
    Mutant("weights of padded places are not masked", "bit_dot.sv",
           ".mask_i (pad),", ".mask_i ('0),", PADDED_PARTS),
    Mutant("only rows are padded, where folds are of one pixel", "window_padding.sv",
           "row_out[i_q] || column_out[j_q]", "row_out[i_q]", PADDED_PIXELS),
    Mutant("the windows of a row do not go back to its left", "window_padding.sv",
           "column_last ? '0 : column_q", "column_q", PADDED_ROWS),
    Mutant("nothing is padded below the map", "window_padding.sv",
           " || 32'(row_q) + i >= BehindRows", "", PADDED_PARTS),
    Mutant("a stride of rows forgotten", "window_padding.sv",
           "row_q + RowWidth'(StrideRows)", "row_q + RowWidth'(1)", PADDED_WINDOW),
    Mutant("enables of the pixels' stages one cycle late", "binary_mvu.sv",
           ".en_i    (valid_q[Done-1:Begin]),\n      .x_i     (x)",
           ".en_i    (valid_q[Done:Begin+1]),\n      .x_i     (x)", PIXELS),
    Mutant("the third pixel never subtracted", "pixel_dot.sv",
           "11'(x[0]) + 11'(x[1]) - 11'(x[2])", "11'(x[0]) + 11'(x[1]) + 11'(x[2])", PIXELS),
    Mutant("no carry for a subtracted group", "pixel_dot.sv",
           " + Bits'(differ);", ";", WIDE_PIXELS),
    Mutant("sign of a group lost", "pixel_dot.sv",
           "assign neg = !w[0];", "assign neg = 1'b0;", PIXELS),
    Mutant("a left over column is pooled", "bin_maxpool.sv",
           "column_last || x_last ? '0", "x_last ? '0", POOL),
    Mutant("a left over row is pooled", "bin_maxpool.sv",
           "row_last || y_last ? '0", "y_last ? '0", POOL),
    Mutant("a window keeps the bits of the one before", "bin_maxpool.sv",
           "x_q == '0 && y_q == '0 ? '0", "x_q == '0 && y_q == '0 && row_q == '0 ? '0", POOL),
    Mutant("folds of a pixel share a place", "bin_maxpool.sv",
           "addr_q - AddrWidth'(Folds - 1)", "addr_q", POOL),
    Mutant("a full output is overwritten", "bin_maxpool.sv",
           "= !(window_last && out_valid_o && !out_ready_i)", "= 1'b1", POOL),
    Mutant("results in the pipeline have no place kept for them", "binary_mvu.sv",
           "level < LevelWidth'(FifoDepth - Done - 1)", "level < LevelWidth'(FifoDepth)", ONE_FOLD),
    Mutant("the second frame's end is not seen", "fold_input.sv",
           "else if (write_last) full_q <= write_half_q != read_half_q;", "", MVU),
    Mutant("a word is read before it is there", "fold_input.sv",
           " || write_q != word_i;", " || write_q >= word_i;", MVU),
    Mutant("words come a cycle before their weights", "fold_input.sv",
           "word_o <= kept[read_q[Wait-1]];", "word_o <= kept[read_q[1]];", MVU),
    Mutant("input threshold off by one", "bin_threshold.sv",
           ">= Threshold;", "> Threshold;", "bin_threshold-Pe4-InBits8"),
    Mutant("the last label wins a tie", "label_select.sv",
           "right = score[l-1][2*n+1] > score", "right = score[l-1][2*n+1] >= score", LABEL),
    Mutant("the last word wins a tie", "label_select.sv",
           "score[Levels][0] > score_q", "score[Levels][0] >= score_q", LABEL),
    Mutant("the best score outlives its frame", "label_select.sv",
           "index_q == '0 || ", "", LABEL),
    Mutant("the upper half of a label cut off", "label_select.sv",
           "out_data_o <= 16'(best)", "out_data_o <= 16'(best & 'hFF)", MANY_LABELS),
    Mutant("a row of scores is used before it is there", "class_scores.sv",
           "assign in_ready_o = there && ", "assign in_ready_o = ", SCORES),
    Mutant("a score taken over one that waits", "class_scores.sv",
           "(!out_valid_o || out_ready_i)", "1'b1", SCORES),
    Mutant("equal gains forgotten", "class_scores.sv", "sum << Shift", "sum", EQUAL_SCORES),
    Mutant("words in the wrong order", "stream_widen.sv",
           "{in_data_i[InBits-1:0], word_q[InBits*Ratio-1:InBits]}",
           "{word_q[InBits*(Ratio-1)-1:0], in_data_i[InBits-1:0]}", "stream_widen-InBits3-Ratio5"),
    Mutant("the padding of a frame given out", "frame_trim.sv",
           "last ? CountWidth'(Rest) : CountWidth'(Ratio)", "CountWidth'(Ratio)",
           "frame_trim-OutBits8-Words3"),
    Mutant("a frame begins after a reset where the last one stood", "frame_trim.sv",
           "      number_q    <= '0;\n", "", "frame_trim-OutBits8-Words593"),
    Mutant("the last byte of a frame given out twice", "frame_trim.sv",
           "last && Rest == 1", "1'b0", "frame_trim-OutBits8-Words5"),
    Mutant("a map is through before it has come in", "stream_crop.sv",
           "waits_q ? whole_q : in_valid_i", "waits_q ? 1'b1 : in_valid_i", CROP),
    Mutant("columns left over are kept", "stream_crop.sv",
           " && 32'(column_q) < OutColumns;", ";", CROP),
    Mutant("a crop forgets its place in a reset", "stream_crop.sv",
           "      row_q    <= '0;\n", "", CROP),
    Mutant("the copies of a table take the first byte", "byte_table.sv",
           "Codes[in_data_i[8*p+:8]]", "Codes[in_data_i[7:0]]", "byte_table-Pe4"),
    Mutant("padding before its map is there", "stream_pad.sv",
           "!in_map && begun_q", "!in_map",
           "stream_pad-Rows4-Columns3-Folds1-Bits8-Top1-Left1-Bottom1-Right1"),
    Mutant("a word taken over the last part but one", "stream_narrow.sv",
           "part_q == CountWidth'(Ratio - 2)", "part_q == CountWidth'(Ratio - 3)",
           "stream_narrow-OutBits3-Ratio5"),
    Mutant("a word collected over one that waits", "stream_widen.sv",
           "in_ready_o = !out_valid_o || out_ready_i", "in_ready_o = 1'b1",
           "stream_widen-InBits3-Ratio5"),
    Mutant("a narrow counter too short by a bit", "counter_bank.sv",
           "NarrowWidth = $clog2(LongestWait * BufferWidth[b] / Unit + 1)",
           "NarrowWidth = $clog2(LongestWait * BufferWidth[b] / Unit + 1) - 1", COUNTERS),
    Mutant("written bits counted as words", "counter_bank.sv",
           "k == 0 ? BufferWidth[b] : 1;", "1;", COUNTERS),
    Mutant("weights written while a pass runs", "counter_bank.sv",
           "!busy_o && !clear_i && !snapshot_i", "1'b1", COUNTERS),
    Mutant("an increment lost at each visit", "counter_bank.sv",
           "NarrowWidth'(increment[k]) + (visited ? '0 : narrow_q);",
           "visited ? '0 : narrow_q + NarrowWidth'(increment[k]);", COUNTERS),
    Mutant("a visit lost while a weight memory's counts are added", "counter_bank.sv",
           "turn_q[k] && !weight_waits_q;", "turn_q[k];", COUNTERS),
    Mutant("no carry into the upper half of a total", "counter_bank.sv",
           "(sum_q[Half] && visit_q[1].settles && visit_q[1].addr[0])", "(1'b0)", COUNTERS),
    Mutant("an overflow settled twice", "counter_bank.sv",
           "sum_q[Half] && !visit_q[Steps-1].settles", "sum_q[Half]", COUNTERS),
    Mutant("an overflow forgotten before it is settled", "counter_bank.sv",
           "{sum_q[Half] && !visit_q[Steps-1].settles, sum_q[Half-1:0]}",
           "{1'b0, sum_q[Half-1:0]}", COUNTERS),
    Mutant("weights' counts between the halves of a total", "counter_bank.sv",
           " && !between &&", " &&", COUNTERS),
    Mutant("a clear keeps the narrow counters", "counter_bank.sv",
           "!rst_ni || zero || hold_i", "!rst_ni || hold_i", COUNTERS),
    Mutant("a clear keeps what a buffer counted before", "counter_bank.sv",
           "int'(NumWeights) : first_q", "int'(NumWeights) : 1'b0", COUNTERS),
    Mutant("what buffers in reset seem to write counts", "counter_bank.sv",
           "zero || hold_i)", "zero)", COUNTERS),
    Mutant("no carry into the upper half of a count", "event_total.sv",
           "Half'(carry_q)", "Half'(1'b0)", "event_total"),
    Mutant("a snapshot's upper half a cycle early", "event_total.sv",
           "if (snapshot_q) shown_o", "if (snapshot_i) shown_o", "event_total"),
    Mutant("a frame timed by the label of the one before", "frame_times.sv",
           "open_i - OpenWidth'(done_i)", "open_i - OpenWidth'(1)", TIMES),
    Mutant("each frame timed, as if none were", "frame_times.sv",
           "first_i && (!timed_q || ends)", "first_i", TIMES),
    Mutant("a time that does not fit starts anew", "frame_times.sv",
           "Width'(timer != '1)", "Width'(1)", TIMES),
    Mutant("the distance of the first label counts", "frame_times.sv",
           "labelled_q && done_i", "done_i", TIMES),
    Mutant("TLAST one frame late", "frame_io.sv",
           "number_q == frames_per_transfer_i", "number_q - 1 == frames_per_transfer_i", FRAMES),
    Mutant("TLAST changes while its label waits", "frame_io.sv",
           "waits_q ? last_q : last_of_transfer", "last_of_transfer", FRAMES),
    Mutant("a label that waits counts in the new transfer", "frame_io.sv",
           "if (transfer_restart_i || restarted_q ||", "if (transfer_restart_i ||", FRAMES),
    Mutant("the new transfer starts with its second label", "frame_io.sv",
           "(transfer_restart_i || restarted_q) && m_axis_tvalid && !m_axis_tready",
           "(transfer_restart_i || restarted_q) && m_axis_tvalid", FRAMES),
    Mutant("an offered beat is not under way", "frame_io.sv",
           "if (in_valid_o) under_way_o", "if (take) under_way_o", FRAMES),
    Mutant("a transfer ends after 2^16 frames at most", "frame_io.sv",
           "logic [31:0] number_q;", "logic [15:0] number_q;", FRAMES),
    Mutant("hold ignored", "frame_io.sv", "rst_ni && !hold_i", "rst_ni", FRAMES),
    Mutant("a frame under way only from its last beat", "frame_io.sv",
           "take && first_q", "take && beat_q == BeatWidth'(InBeats - 1)", FRAMES),
    Mutant("configuration taken while not idle", "memory_regs.sv",
           "is_cfg_q && idle_i;", "is_cfg_q;", REGS),
    Mutant("configuration outlives a reset", "memory_regs.sv",
           "else if (clearing)           write_data = '0;", "", REGS),
    Mutant("an access does not wait until all is cleared", "memory_regs.sv",
           "waits_q && !we_i && !clearing", "waits_q && !we_i", REGS),
    Mutant("configuration written where a counter is shown", "memory_regs.sv",
           "waits_q && we_i && !clearing && !show_valid_i", "waits_q && we_i && !clearing", REGS),
    Mutant("layers above 31 cut off", "memory_regs.sv",
           "Layer[m][7:0]", "{3'd0, Layer[m][4:0]}", REGS),
    Mutant("widths above 65535 cut off", "memory_regs.sv",
           "= Width[m];", "= 32'(Width[m][15:0]);", REGS),
    Mutant("memories that there are not answer for others", "memory_regs.sv",
           "32'(addr_i[11:6]) < 2 ** MemWidth;", "1'b1;", REGS),
    Mutant("modes of other memories follow", "memory_regs.sv",
           "write_cfg && chosen_q[m] && word", "write_cfg && word", REGS),
    Mutant("seeds are not passed on", "memory_regs.sv",
           "write_any && cfg_word == MapMemSeed[5:2],", "1'b0,", REGS),
    Mutant("one memory more than there is", "memory_regs.sv",
           "32'(addr_i[11:6]) < NumMems;", "32'(addr_i[11:6]) <= NumMems;", REGS),
    Mutant("counters shown at the wrong address", "memory_regs.sv",
           "{shown, 1'b1, show_addr_i[2:0]}", "{shown, 1'b1, show_addr_i[1:0], 1'b0}", REGS),
    Mutant("the input opens while layers are in reset", "core_reset.sv",
           "left_q == '0 && core_rst_no[0];", "left_q == '0;", SHELL),
    Mutant("refused weight accesses answered with OKAY", "accel_shell.sv",
           "? {weight_err, weight_rdata}", "? {1'b0, weight_rdata}", SHELL),
    Mutant("frames come in during a weight access", "accel_shell.sv",
           ".hold_i                (hold_q)", ".hold_i                (1'b0)", SHELL),
    Mutant("weights accessed during a frame", "accel_shell.sv",
           ".idle_i        (hold_q),", ".idle_i        (1'b1),", SHELL),
    Mutant("a part of a word leaves no trace in STATUS", "control_block.sv",
           "STATUS.partial.hwset    = partial_i", "STATUS.partial.hwset    = 1'b0", SHELL),
    Mutant("counted on while the layers are in reset", "control_block.sv",
           "clear = clear_q || held;", "clear = 1'b0;", SHELL),
    Mutant("counts of two weight memories swapped", "accel_shell.sv",
           ".weight_index_i        (weight_index_o)", ".weight_index_i        (~weight_index_o)",
           SHELL),
]  # fmt: skip


def examine(mutant: Mutant) -> Verdict:
    """Runs the mutant's bench, first on the RTL as it stands, then on the mutant."""
    case = case_of(mutant)
    try:
        case.run()
    except runner.BenchError:
        return Verdict(mutant.name, mutant.case, False, "the bench fails without the mutation")
    with tempfile.TemporaryDirectory() as scratch:
        rtl = Path(shutil.copytree(runner.RTL, Path(scratch) / "rtl"))
        (rtl / mutant.file).write_text(mutated(mutant), encoding="utf-8")
        try:
            case.run(rtl)
        except runner.BenchError as error:
            return Verdict(mutant.name, mutant.case, True, str(error).partition("\n")[0])
        except (RuntimeError, SystemExit) as error:
            return Verdict(mutant.name, mutant.case, False, f"does not build: {error}")
    return Verdict(mutant.name, mutant.case, False, "the bench passes")


def case_of(mutant: Mutant) -> Case:
    """The case that must fail."""
    (case,) = [case for case in CASES if case.name == mutant.case]
    return case


def mutated(mutant: Mutant) -> str:
    """The text of the mutant's file; ValueError unless there is exactly one place to change."""
    text = (runner.RTL / mutant.file).read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: {mutant.file} has {text.count(mutant.old)} places for it")
    return text.replace(mutant.old, mutant.new)


def sample(count: int) -> list[Mutant]:
    """Some mutants, spread over the list."""
    return [MUTANTS[number * len(MUTANTS) // count] for number in range(count)]


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sample", type=int, default=len(MUTANTS), metavar="N", help="only N")
    chosen = sample(min(parser.parse_args().sample, len(MUTANTS)))
    verdicts = []
    with ProcessPoolExecutor(PROCESSES) as pool:
        for verdict in pool.map(examine, chosen):
            word = "caught" if verdict.caught else "NOT CAUGHT"
            print(f"{word:10}  {verdict.name:50}  {verdict.reason}", flush=True)
            verdicts.append(verdict)
    caught = sum(verdict.caught for verdict in verdicts)
    print(f"{caught} of {len(verdicts)} mutants caught")
    RESULTS.parent.mkdir(exist_ok=True)
    summary = {"mutants": len(verdicts), "caught": caught, "list": [asdict(v) for v in verdicts]}
    RESULTS.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return 0 if caught == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
