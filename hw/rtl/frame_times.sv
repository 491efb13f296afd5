// How long frames take: from the cycle in which a frame's first word goes in to that in which its label
// goes out, of one frame at a time, and from each label to the next one.
//
// Of frames that go in while one is being timed nothing is measured; the next one to begin after its
// label, or with it, is timed in its turn. Times are in cycles; what is longer than a time can be stays
// at its largest, all ones.
//
// Latency: a time is there two cycles after the pulse that ends it.

module frame_times #(
  // Bits of a time.
  parameter int unsigned Width     = 24,
  // Bits of the number of frames under way.
  parameter int unsigned OpenWidth = 16
) (
  // Clock, and a clear, for a reset too: nothing is measured, and a frame that is being timed is given up.
  input  logic                 clk_i,
  input  logic                 clear_i,

  // Pulses: a frame's first word has gone in, a label has gone out; and the frames under way before that.
  input  logic                 first_i,
  input  logic                 done_i,
  input  logic [OpenWidth-1:0] open_i,

  // Time from first word to label: of the last frame that was timed, the shortest and the longest one.
  // Without any the shortest is all ones, the others are 0.
  output logic [Width-1:0]     latency_last_o,
  output logic [Width-1:0]     latency_min_o,
  output logic [Width-1:0]     latency_max_o,

  // Shortest and longest time from a label to the next one; without any all ones, and 0.
  output logic [Width-1:0]     distance_min_o,
  output logic [Width-1:0]     distance_max_o
);

  function automatic logic [Width-1:0] next(logic [Width-1:0] timer);
    return timer + Width'(timer != '1);
  endfunction

  // The frame that is timed waits for this many labels before its own, which is the next one or not.
  logic [OpenWidth-1:0] before_q;
  logic next_q, timed_q, ends, begins, latency_q;
  logic [Width-1:0] latency_timer_q;
  assign ends   = timed_q && done_i && next_q;
  assign begins = first_i && (!timed_q || ends);

  logic labelled_q, distance_q;
  logic [Width-1:0] distance_timer_q, distance_last_q;

  always_ff @(posedge clk_i) begin
    if (begins)                 latency_timer_q <= Width'(1);
    else                        latency_timer_q <= next(latency_timer_q);
    if (begins)                 before_q <= open_i - OpenWidth'(done_i);
    else if (timed_q && done_i) before_q <= before_q - 1'b1;
    next_q <= (begins ? open_i : before_q) == OpenWidth'(done_i);
    if (done_i)                 distance_timer_q <= Width'(1);
    else                        distance_timer_q <= next(distance_timer_q);
    distance_last_q <= distance_timer_q;

    if (clear_i) begin
      timed_q        <= 1'b0;
      labelled_q     <= 1'b0;
      latency_q      <= 1'b0;
      distance_q     <= 1'b0;
      latency_last_o <= '0;
      latency_min_o  <= '1;
      latency_max_o  <= '0;
      distance_min_o <= '1;
      distance_max_o <= '0;
    end else begin
      timed_q    <= begins || (timed_q && !ends);
      labelled_q <= labelled_q || done_i;
      latency_q  <= ends;
      distance_q <= labelled_q && done_i;
      if (ends) latency_last_o <= latency_timer_q;
      if (latency_q && latency_last_o < latency_min_o)    latency_min_o  <= latency_last_o;
      if (latency_q && latency_last_o > latency_max_o)    latency_max_o  <= latency_last_o;
      if (distance_q && distance_last_q < distance_min_o) distance_min_o <= distance_last_q;
      if (distance_q && distance_last_q > distance_max_o) distance_max_o <= distance_last_q;
    end
  end

endmodule
