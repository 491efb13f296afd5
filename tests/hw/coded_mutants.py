"""Wrong variants of coded memories, as tests.hw.mutants has them: name, file, texts, case."""

from __future__ import annotations

ENCODE = "secded_encode-Data70-Word35-Check7"
DECODE = "secded_decode-Data12-Word8-Check5"
SHORTER = "secded_decode-Data50-Word17-Check6"
WEIGHTS = "coded_weights-Data20-Word8-Check5"
BUFFER = "coded_buffer-Data20-Word10-Check5-Depth5-RunAhead16-Ports1-WithErrors1"
TOTALS = "code_counters-NumMems3"

CODED_MUTANTS = [
    ("a check bit of another row", "secded_encode.sv",
     "Row = row(r);", "Row = row(r == 0 ? Check - 1 : r);", ENCODE),
    ("a wrong check bit is not corrected", "secded_decode.sv",
     "for (int unsigned r = 0; r < Check; r++) single[1<<r] = 1'b1;", "", DECODE),
    ("only even syndromes are detected", "secded_decode.sv",
     "syndrome != '0 && !Single[syndrome]", "!(^syndrome) && syndrome != '0", DECODE),
    ("a bit that is not there is corrected", "secded_decode.sv",
     "Single = single(Bits);", "Single = single(Word);", SHORTER),
    ("a bit is flipped by part of its column", "secded_decode.sv",
     "(syndrome == Columns[i*Check+:Check])",
     "((syndrome & Columns[i*Check+:Check]) == Columns[i*Check+:Check])", DECODE),
    ("the first stage does not wait", "secded_decode.sv", "if (en_i[0])", "if (1'b1)", DECODE),
    ("the second stage does not wait", "secded_decode.sv", "if (en_i[1])", "if (1'b1)", DECODE),
    ("weights are counted a cycle early", "coded_weights.sv",
     "if (read_q[WeightLatency+DecodeLatency] && rst_ni)",
     "if (read_q[WeightLatency+DecodeLatency-1] && rst_ni)", WEIGHTS),
    ("a reset does not end reads", "coded_weights.sv",
     "if (!rst_ni) read_q <= '0;", "if (1'b0) read_q <= '0;", WEIGHTS),
    ("a reset lets a word be counted", "coded_weights.sv",
     "if (read_q[WeightLatency+DecodeLatency] && rst_ni)",
     "if (read_q[WeightLatency+DecodeLatency])", WEIGHTS),
    ("corrected and detected are exchanged", "coded_weights.sv",
     "count_o.switched <= 8'($countones(corrected));",
     "count_o.switched <= 8'($countones(detected));", WEIGHTS),
    ("a word is taken while one waits", "coded_buffer.sv",
     "assign in_ready_o = !word_valid_q || word_ready;", "assign in_ready_o = 1'b1;", BUFFER),
    ("the decoder has a bubble", "coded_buffer.sv",
     "assign step[0] = !valid_q[0] || step[1];", "assign step[0] = !valid_q[0];", BUFFER),
    ("the decoder loses a word that waits", "coded_buffer.sv",
     "assign step[1] = !valid_q[1] || out_ready_i;", "assign step[1] = 1'b1;", BUFFER),
    ("words under way survive a reset", "coded_buffer.sv",
     "if (!rst_ni) valid_q <= '0;", "if (1'b0) valid_q <= '0;", BUFFER),
    ("words that wait are counted", "coded_buffer.sv",
     "if (out_valid_o && out_ready_i && rst_ni)", "if (out_valid_o && rst_ni)", BUFFER),
    ("a reset lets a word that leaves be counted", "coded_buffer.sv",
     "if (out_valid_o && out_ready_i && rst_ni)", "if (out_valid_o && out_ready_i)", BUFFER),
    ("a clear of codes is shown", "code_counters.sv",
     "asked_q ? bank_valid : show_valid_i", "bank_valid || show_valid_i", TOTALS),
    ("what others show is lost", "code_counters.sv",
     "show_data_o  <= asked_q ? bank_data : show_data_i;", "show_data_o  <= bank_data;", TOTALS),
    ("a memory's code words are one", "code_counters.sv",
     "Codes[m] == 0 ? 1 : Codes[m]", "1", TOTALS),
]  # fmt: skip
