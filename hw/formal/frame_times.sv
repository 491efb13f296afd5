// What frame_times promises. One frame at a time is timed: the first whose first word goes in while none is,
// or with the label of the one before it, and so on. Its time is that from its first word to its own label,
// whatever labels of others come between; that of labels is from each to the next. Two cycles after the
// label that ends a time it is there, the last one and, of all since the last clear, the shortest
// and the longest. What is longer than a time can be is all ones. A clear gives up the frame that is timed
// and forgets the label before.
//
// Assumed: a label comes only for a frame whose first word has gone in before; frames under way are
// as many as told, and Most at most. In the first cycle all is cleared. During a clear frames may vanish.

module frame_times_formal #(
  // As of frame_times.
  parameter int unsigned Width     = 3,
  parameter int unsigned OpenWidth = 2,
  // Most frames under way.
  parameter int unsigned Most      = 3
) (
  // Ports of frame_times that others drive.
  input logic                 clk_i,
  input logic                 clear_i,
  input logic                 first_i,
  input logic                 done_i,

  // Free: with a clear all frames vanish.
  input logic                 vanish_i
);

  logic [OpenWidth-1:0] open_i;
  logic [Width-1:0] latency_last_o, latency_min_o, latency_max_o, distance_min_o, distance_max_o;

  frame_times #(.Width (Width), .OpenWidth (OpenWidth)) dut (.*);

  // Frames under way, the oldest at 0: how many, and which of them is timed.
  logic             first_q = 1'b1;
  logic [Most:0]    timed, timed_q;
  logic [$clog2(Most+2)-1:0] open, open_q;
  assign open_i = OpenWidth'(open_q);

  // Cycles since that one's first word, and since the last label, if there was one.
  logic [Width-1:0] age_q, rest_q;
  logic             label_q;

  // Times, and those of before this cycle.
  logic             ended;
  logic [Width-1:0] last_q, shortest_q, longest_q, nearest_q, farthest_q;
  logic [Width-1:0] shortest_then_q, longest_then_q, nearest_then_q, farthest_then_q;

  always_comb begin
    ended = done_i && timed_q[0];
    timed = done_i ? timed_q >> 1 : timed_q;
    open  = open_q - ($bits(open))'(done_i);
    if (first_i) begin
      for (int unsigned n = 0; n <= Most; n++) begin
        if (32'(open) == n) timed[n] = timed == '0;
      end
      open = open + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    open_q  <= clear_i && vanish_i ? '0 : open;
    if (first_q) assume (clear_i && open_q == '0 && timed_q == '0);
    assume (!done_i || open_q != '0);
    assume (!first_i || 32'(open) <= Most);

    if (first_i && timed_q >> done_i == '0) age_q <= Width'(1);
    else if (age_q != '1)                   age_q <= age_q + 1'b1;
    if (done_i)            rest_q <= Width'(1);
    else if (rest_q != '1) rest_q <= rest_q + 1'b1;

    {shortest_then_q, longest_then_q} <= {shortest_q, longest_q};
    {nearest_then_q, farthest_then_q} <= {nearest_q, farthest_q};
    if (clear_i) begin
      timed_q <= '0;
      label_q <= 1'b0;
      {shortest_q, shortest_then_q, nearest_q, nearest_then_q}       <= '1;
      {last_q, longest_q, longest_then_q, farthest_q, farthest_then_q} <= '0;
    end else begin
      timed_q <= timed;
      label_q <= label_q || done_i;
      if (ended) begin
        last_q <= age_q;
        if (age_q < shortest_q) shortest_q <= age_q;
        if (age_q > longest_q)  longest_q  <= age_q;
      end
      if (done_i && label_q) begin
        if (rest_q < nearest_q)  nearest_q  <= rest_q;
        if (rest_q > farthest_q) farthest_q <= rest_q;
      end
    end

    if (!first_q) begin
      assert (latency_last_o == last_q);
      assert (latency_min_o == shortest_then_q && latency_max_o == longest_then_q);
      assert (distance_min_o == nearest_then_q && distance_max_o == farthest_then_q);
      cover (ended && first_i && open_q == ($bits(open))'(2));
      cover (latency_min_o < latency_max_o && latency_max_o == '1 && distance_max_o == '1);
      cover (clear_i && !vanish_i && timed_q[1] && !timed_q[0]);
    end
  end

endmodule
