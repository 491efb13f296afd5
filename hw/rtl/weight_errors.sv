// The write errors of the weight memories: which bits of one 32-bit segment err when it is written, and
// what the write counts. One engine serves all weight memories, since one segment is written at a time.
//
// A write takes four blocks of draws, one a byte, from the draw engine. They are asked for in the cycles
// of `working_i`, in any four of them; the old value must be known six cycles after the first one.
// `drawn_o` rises when all 32 bits are decided: from the first of these cycles on 18 cycles later if the
// engine has nothing else to do and no draw is a tie.

module weight_errors
  import spinflow_pkg::*;
#(
  // Number of weight memories.
  parameter int unsigned NumWeights = 3,
  localparam int unsigned IndexWidth = NumWeights > 1 ? $clog2(NumWeights) : 1
) (
  // Clock, and reset (active low): all streams start anew.
  input  logic                  clk_i,
  input  logic                  rst_ni,

  // All streams start anew, and the stream of one memory does; each for a cycle.
  input  logic                  soft_reset_i,
  input  logic [NumWeights-1:0] restart_i,

  // The memory that is written, by its number and as one bit of all; and how its writes err. Both hold
  // from the cycle of `begin_i`, the mode from the cycle after it.
  input  logic [IndexWidth-1:0] index_i,
  input  logic [NumWeights-1:0] memory_i,
  input  logic [1:0]            mode_i,

  // The steps of a write, high in the cycles of each.
  input  logic                  begin_i,     // what is known of the write before is forgotten
  input  logic                  working_i,   // draws are asked for
  input  logic                  gather_i,    // the old value comes, whole in the last cycle

  // The segment: its target, its old value (from the last `gather_i` on), a 1 for each bit that exists,
  // and how many these are.
  input  logic [31:0]           wdata_i,
  input  logic [31:0]           old_i,
  input  logic [31:0]           mask_i,
  input  logic [5:0]            bits_i,

  // Draws from the engine: what is wanted, whether it is granted, and the answer.
  output draw_request_t         request_o,
  input  logic                  grant_i,
  input  draw_answer_t          answer_i,
  input  logic                  answer_valid_i,

  // Bits that err, valid from `drawn_o` to the next `begin_i`; 0 if no draws were made.
  output logic [31:0]           error_o,
  output logic                  drawn_o,

  // What the write adds to the memory's counters; valid from two cycles after the last `gather_i`, or
  // from `drawn_o` on if draws were made.
  output count_t                count_o
);

  // An answer to a write that a reset ended is told by the number of the write.
  typedef struct packed {
    logic [1:0] write;
    logic [1:0] segment_byte;
  } place_t;

  // Streams that have begun, and the bytes that are asked for.
  logic [NumWeights-1:0] started_q;
  logic                  first_q;
  logic [1:0]            write_q;
  logic [2:0]            asked_q;
  place_t                place;
  assign place     = '{write: write_q, segment_byte: asked_q[1:0]};
  assign request_o = '{
    valid:   working_i && !asked_q[2],
    first:   first_q,
    start:   '0,
    advance: 3'd1,
    tag:     DrawTagWidth'(place)
  };

  always_ff @(posedge clk_i) begin
    if (begin_i) begin
      asked_q <= '0;
      first_q <= !started_q[index_i];
      write_q <= write_q + 1'b1;
    end else if (grant_i) begin
      asked_q <= asked_q + 1'b1;
      first_q <= 1'b0;
    end
    if (!rst_ni || soft_reset_i) started_q <= '0;
    else begin
      for (int unsigned m = 0; m < NumWeights; m++) begin
        if (restart_i[m]) started_q[m] <= 1'b0;
        else if (grant_i && memory_i[m]) started_q[m] <= 1'b1;
      end
    end
  end

  // A byte's draws, with its target and its old value.
  place_t     from;
  logic [1:0] byte_q;
  logic       valid_q, flip_q;
  logic [7:0] hit_q, target_q, differs_q, mask_q, error;
  assign from  = place_t'(answer_i.tag[$bits(place_t)-1:0]);
  assign error = hit_q & (differs_q | {8{flip_q}}) & mask_q;

  logic unused_tag;
  assign unused_tag = ^answer_i.tag[DrawTagWidth-1:$bits(place_t)];

  always_ff @(posedge clk_i) begin
    valid_q   <= answer_valid_i && from.write == write_q && !begin_i;
    byte_q    <= from.segment_byte;
    flip_q    <= mode_i == ModeFlip;
    target_q  <= wdata_i[8*from.segment_byte+:8];
    differs_q <= wdata_i[8*from.segment_byte+:8] ^ old_i[8*from.segment_byte+:8];
    mask_q    <= mask_i[8*from.segment_byte+:8];
    for (int unsigned b = 0; b < 8; b++) begin
      hit_q[b] <= wdata_i[{from.segment_byte, 3'(b)}] ? answer_i.hit1[b] : answer_i.hit0[b];
    end
  end

  // Errors of a byte join those of the segment, and are counted a cycle later.
  logic [3:0] drawn_q;
  logic [7:0] error1_q, error0_q;
  logic [5:0] err1_q, err0_q;
  logic [31:0] changes;           // bits that the write changes
  logic [3:0][3:0] changed_q;     // how many of each byte, and of all
  logic [5:0] switched, switched_q;
  assign changes = (wdata_i ^ old_i) & mask_i;
  always_comb begin
    switched = '0;
    for (int unsigned b = 0; b < 4; b++) switched += 6'(changed_q[b]);
  end
  always_ff @(posedge clk_i) begin
    error1_q <= valid_q && !begin_i ? error & target_q : '0;
    error0_q <= valid_q && !begin_i ? error & ~target_q : '0;
    if (begin_i) begin
      error_o <= '0;
      drawn_q <= '0;
      err1_q  <= '0;
      err0_q  <= '0;
    end else begin
      for (int unsigned b = 0; b < 4; b++) begin
        if (valid_q && byte_q == 2'(b)) begin
          error_o[8*b+:8] <= error;
          drawn_q[b]      <= 1'b1;
        end
      end
      err1_q <= err1_q + 6'($countones(error1_q));
      err0_q <= err0_q + 6'($countones(error0_q));
    end
    drawn_o <= !begin_i && &drawn_q;
    if (gather_i) begin
      for (int unsigned b = 0; b < 4; b++) changed_q[b] <= 4'($countones(changes[8*b+:8]));
    end
    switched_q <= switched;
  end

  assign count_o = '{
    written:  8'(bits_i),
    switched: 8'(switched_q),
    err1:     8'(err1_q),
    err0:     8'(err0_q)
  };

endmodule
