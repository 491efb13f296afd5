"""Wrong variants of the sliding windows, as tests.hw.mutants has them: name, file, texts, case."""

from __future__ import annotations

WINDOW = ("window_words-Rows5-Columns5-Folds2-Bits16-KernelRows3-KernelColumns3-StrideRows1-"
          "StrideColumns1-BlockRam0")  # fmt: skip
STRIDED = ("window_words-Rows9-Columns7-Folds2-Bits8-KernelRows3-KernelColumns3-StrideRows2-"
           "StrideColumns2-BlockRam0")  # fmt: skip
SKIPPING = ("window_words-Rows8-Columns8-Folds1-Bits5-KernelRows2-KernelColumns2-StrideRows3-"
            "StrideColumns3-BlockRam0")  # fmt: skip
LONG_LINES = ("window_words-Rows4-Columns70-Folds1-Bits6-KernelRows3-KernelColumns3-StrideRows1-"
              "StrideColumns1-BlockRam0")  # fmt: skip
BLOCK_WINDOW = ("window_words-Rows6-Columns5-Folds3-Bits9-KernelRows3-KernelColumns3-StrideRows3-"
                "StrideColumns2-BlockRam1")  # fmt: skip
AT_ONCE = ("window_at_once-Rows6-Columns9-Bits3-KernelRows2-KernelColumns5-StrideRows2-"
           "StrideColumns1-BlockRam0")  # fmt: skip
BLOCK_LINES = ("window_at_once-Rows6-Columns12-Bits8-KernelRows3-KernelColumns3-StrideRows1-"
               "StrideColumns1-BlockRam1")  # fmt: skip

WINDOW_MUTANTS = [
    ("a window's next word is read before it has come", "window_words.sv",
     "ahead_q <= -count_t'(1);", "ahead_q <= '0;", WINDOW),
    ("a place is overwritten that the next window needs", "window_words.sv",
     "StepWords < RunWords && run_q == RunWidth'(StepWords - 1)", "1'b0", WINDOW),
    ("places are free only when a window has gone", "window_words.sv",
     "gained = freeing_q ? '0 : -count_t'(1);", "gained = -count_t'(1);", WINDOW),
    ("the buffer is one place smaller", "window_words.sv",
     "free_q  <= count_t'(Depth - 1);", "free_q  <= count_t'(Depth - 2);", LONG_LINES),
    ("the buffer has one place too many", "window_words.sv",
     "free_q  <= count_t'(Depth - 1);", "free_q  <= count_t'(Depth);", BLOCK_WINDOW),
    ("rows beyond the step of windows are freed", "window_words.sv",
     "!down_last_q && run_last_q && turn_end) freeing_q", "!down_last_q && 1'b0) freeing_q",
     STRIDED),
    ("words between the windows stay", "window_words.sv",
     "gained = count_t'(SkipWords);", "gained = '0;", SKIPPING),
    ("a turn to the next row of windows forgets the stride", "window_words.sv",
     "int'(StrideRows - 1) * LineWords + RunWords - SpanWords + 1",
     "RunWords - SpanWords + 1", STRIDED),
    ("the buffer's end is not the address's", "window_words.sv",
     "back[AddrWidth] ? straight : back[AddrWidth-1:0]", "straight", LONG_LINES),
    ("a window word in block RAM is lost while another waits", "window_words.sv",
     "if (word_en) word_q <= read_q;", "word_q <= read_q;", BLOCK_WINDOW),
    ("a window that waits moves on", "window_at_once.sv",
     "in_ready_o = !out_valid_o || out_ready_i", "in_ready_o = 1'b1", AT_ONCE),
    ("windows beyond the end of a row", "window_at_once.sv",
     "column_last_q ? AcrossWidth'(KernelColumns - 1) :\n", "1'b0 ? '0 :\n", AT_ONCE),
    ("a window at every row", "window_at_once.sv",
     "DownWidth'(StrideRows - 1) : down_q", "DownWidth'(0) : down_q", AT_ONCE),
    ("a line in block RAM is one pixel longer", "window_at_once.sv",
     "Depth     = Block ? Rest - 1 : Rest", "Depth     = Rest", BLOCK_LINES),
    ("the pixels of a row in the wrong order", "window_at_once.sv",
     "({pixel_q[r], enters[r]})", "({enters[r], pixel_q[r]} >> Bits)", AT_ONCE),
]  # fmt: skip
