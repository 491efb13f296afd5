// 64-bit totals of all memories' counters in LUT RAM. Each memory has four narrow counters; they are
// visited in turn and drained into the totals, so a memory costs flip-flops only for the narrow ones.
//
// A snapshot copies every total to the RAM that is read; a clear zeroes the totals, the narrow counters
// and what is read. Either takes one pass of 4*NumMems cycles, in which `busy_o` is high and counting
// goes on. If both are asked for, the snapshot comes first. Reads are combinational.

module counter_bank
  import spinflow_pkg::*;
#(
  parameter int unsigned NumMems = 5,
  parameter int unsigned MaxIncrement = 32,   // the most that one cycle adds to one counter
  localparam int unsigned AddrWidth = $clog2(4 * NumMems)
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  count_t [NumMems-1:0] count_i,
  input  logic                 clear_i,
  input  logic                 snapshot_i,
  output logic                 busy_o,
  input  logic [AddrWidth-1:0] read_addr_i,   // 4*memory + {0 written, 1 switched, 2 err1, 3 err0}
  output logic [63:0]          read_data_o
);

  // A counter waits at most two passes for its visit: a command restarts the pass.
  localparam int unsigned NarrowWidth = $clog2(2 * 4 * NumMems * MaxIncrement + 1);
  localparam logic [AddrWidth-1:0] Last = AddrWidth'(4 * NumMems - 1);

  typedef enum logic [1:0] {PassDrain, PassSnapshot, PassClear} pass_e;
  pass_e pass_q;
  logic snapshot_wanted_q, clear_wanted_q, start_snapshot, start_clear, pass_end, zero;
  logic [AddrWidth-1:0] addr_q;

  assign pass_end       = addr_q == Last;
  assign start_snapshot = snapshot_wanted_q && (pass_q == PassDrain || pass_end);
  assign start_clear    = clear_wanted_q && !snapshot_wanted_q && (pass_q == PassDrain || pass_end);
  assign zero           = start_clear;
  assign busy_o = snapshot_wanted_q || clear_wanted_q || pass_q != PassDrain;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      // The RAMs have no reset: a clear and a snapshot of zeros make them so.
      pass_q            <= PassDrain;
      clear_wanted_q    <= 1'b1;
      snapshot_wanted_q <= 1'b0;
      addr_q            <= '0;
    end else begin
      if (snapshot_i) snapshot_wanted_q <= 1'b1;
      else if (start_snapshot) snapshot_wanted_q <= 1'b0;
      if (clear_i) clear_wanted_q <= 1'b1;
      else if (start_clear) clear_wanted_q <= 1'b0;

      if (start_snapshot) begin
        pass_q <= PassSnapshot;
        addr_q <= '0;
      end else if (start_clear) begin
        pass_q <= PassClear;
        addr_q <= '0;
      end else if (pass_end) begin
        pass_q <= PassDrain;
        addr_q <= '0;
      end else begin
        addr_q <= addr_q + 1'b1;
      end
    end
  end

  logic [4*NumMems-1:0][NarrowWidth-1:0] narrow_q;
  for (genvar m = 0; m < int'(NumMems); m++) begin : gen_mem
    logic [3:0][7:0] increment;
    assign increment = {count_i[m].err0, count_i[m].err1, count_i[m].switched, count_i[m].written};
    for (genvar k = 0; k < 4; k++) begin : gen_counter
      logic visited;
      assign visited = addr_q == AddrWidth'(4 * m + k);
      always_ff @(posedge clk_i) begin
        if (!rst_ni || zero) narrow_q[4*m+k] <= '0;
        else begin
          narrow_q[4*m+k] <= (visited ? '0 : narrow_q[4*m+k]) + NarrowWidth'(increment[k]);
        end
      end
    end
  end

  (* ram_style = "distributed" *) logic [63:0] total [4*NumMems];
  (* ram_style = "distributed" *) logic [63:0] shown [4*NumMems];
  logic [63:0] total_d;
  assign total_d = pass_q == PassClear ? 64'(narrow_q[addr_q])
                                       : total[addr_q] + 64'(narrow_q[addr_q]);

  always_ff @(posedge clk_i) begin
    total[addr_q] <= total_d;
    if (pass_q != PassDrain) shown[addr_q] <= total_d;
  end

  assign read_data_o = shown[read_addr_i];

endmodule
