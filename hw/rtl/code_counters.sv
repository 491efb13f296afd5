// Totals of what the decoders of coded memories count: a counter_bank of their own, for which every
// memory is one that counts in any cycle. Without a coded memory it is nothing.
//
// A snapshot shows all totals; a clear is not shown. `busy_o` is high until either is done, and one of
// them is to be asked for at a time. What other counters show passes through in turn, a cycle later, or
// without a coded memory in the same cycle.

module code_counters
  import spinflow_pkg::*;
#(
  // Whether there is anything to count.
  parameter bit          Enable  = 1'b1,
  // Number of memories.
  parameter int unsigned NumMems = 5,
  // Of each memory: code words of a word, 0 where words are not coded.
  parameter logic [NumMems-1:0][31:0] Codes = {NumMems{32'd1}},
  localparam int unsigned AddrWidth = $clog2(8 * NumMems)
) (
  // Clock, and reset (active low): all totals become 0, which takes a while.
  input  logic                 clk_i,
  input  logic                 rst_ni,

  // What each decoder counts in this cycle; see coded_weights. With `hold_i` nothing counts.
  input  count_t [NumMems-1:0] code_count_i,
  input  logic                 hold_i,

  // Pulses that ask for a pass, and whether one is asked for or under way.
  input  logic                 clear_i,
  input  logic                 snapshot_i,
  output logic                 busy_o,

  // What the counters of writes show; nothing while a snapshot is under way.
  input  logic                 show_valid_i,
  input  logic [AddrWidth-1:0] show_addr_i,
  input  logic [31:0]          show_data_i,

  // Half of a total to be shown, in each cycle of `show_valid_o`; the address is that of counter_bank.
  output logic                 show_valid_o,
  output logic [AddrWidth-1:0] show_addr_o,
  output logic [31:0]          show_data_o
);

  // What a word counts at most.
  function automatic logic [NumMems-1:0][31:0] most_counted();
    for (int unsigned m = 0; m < NumMems; m++) most_counted[m] = Codes[m] == 0 ? 1 : Codes[m];
  endfunction

  if (Enable && Codes != '0) begin : gen_bank
    logic bank_busy, bank_valid, asked_q, unused_ready;
    logic [AddrWidth-1:0] bank_addr;
    logic [31:0] bank_data;
    counter_bank #(
      .NumWeights  (0),
      .NumBuffers  (NumMems),
      .BufferWidth (most_counted())
    ) u_bank (
      .clk_i,
      .rst_ni,
      .weight_index_i ('0),
      .weight_count_i ('0),
      .weight_valid_i (1'b0),
      .weight_ready_o (unused_ready),
      .buffer_count_i (code_count_i),
      .hold_i,
      .clear_i,
      .snapshot_i,
      .busy_o         (bank_busy),
      .show_valid_o   (bank_valid),
      .show_addr_o    (bank_addr),
      .show_data_o    (bank_data)
    );
    always_ff @(posedge clk_i) begin
      asked_q      <= rst_ni && !clear_i && (snapshot_i || (asked_q && bank_busy));
      show_valid_o <= rst_ni && (asked_q ? bank_valid : show_valid_i);
      show_addr_o  <= asked_q ? bank_addr : show_addr_i;
      show_data_o  <= asked_q ? bank_data : show_data_i;
    end
    assign busy_o = bank_busy || show_valid_o;
  end else begin : gen_nothing
    logic unused_counts;
    assign unused_counts = ^{clk_i, rst_ni, code_count_i, hold_i, clear_i, snapshot_i};
    assign busy_o        = 1'b0;
    assign show_valid_o  = show_valid_i;
    assign show_addr_o   = show_addr_i;
    assign show_data_o   = show_data_i;
  end

endmodule
