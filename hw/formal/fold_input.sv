// What fold_input promises: Wait cycles after a step, and until the next step's word comes, the word is the
// one that the step is for, as it came in, in every pass over its frame. A word is there in the cycle in
// which it comes or, with a buffer, from the next one on; the next one is taken while fewer than two frames
// are kept, and without a buffer with its step. Frames do not mix. After a reset the next word is the
// first of a frame.
//
// One word of one frame, any, is watched.
//
// Assumed: words in stay until they are taken; steps go through the words of a frame in order, pass by pass,
// and each is made as soon as there is room and, in a first pass, its word is there.

module fold_input_formal #(
  // As of fold_input.
  parameter int unsigned Width = 2,
  parameter int unsigned Sf    = 3,
  parameter int unsigned Nf    = 2,
  parameter int unsigned Wait  = 3,
  localparam int unsigned SfWidth = Sf > 1 ? $clog2(Sf) : 1
) (
  // Ports of fold_input that others drive.
  input logic             clk_i,
  input logic             rst_ni,
  input logic [Width-1:0] in_data_i,
  input logic             in_valid_i,
  input logic             room_i,

  // Free: number in its frame of the word that is watched, as it is in the first cycle.
  input logic [SfWidth-1:0] number_i
);

  localparam bit Buffer = Sf > 1 && Nf > 1;

  logic               in_ready_o, there_o, step_i, first_pass_i, last_i;
  logic [SfWidth-1:0] word_i;
  logic [Wait-1:1]    stepped_i;
  logic [Width-1:0]   word_o;

  fold_input #(.Width (Width), .Sf (Sf), .Nf (Nf), .Wait (Wait)) dut (.*);
  begins_in_reset u_begins (.clk_i, .rst_ni);
  stream_rule #(.Width (Width), .Assumed (1'b1)) u_in (
    .clk_i, .rst_ni, .data_i (in_data_i), .valid_i (in_valid_i), .ready_i (in_ready_o)
  );

  // The steps.
  logic [$clog2(Nf+1)-1:0] pass_q;
  logic [SfWidth-1:0]      sf_q;
  logic                    sf_end, take;
  assign sf_end       = 32'(sf_q) == Sf - 1;
  assign word_i       = sf_q;
  assign first_pass_i = pass_q == '0;
  assign last_i       = sf_end && 32'(pass_q) == Nf - 1;
  assign step_i       = room_i && (!first_pass_i || there_o);
  assign take         = in_valid_i && in_ready_o;

  // Words that have come of the frame that is stepped through, and of later ones; number of the next one
  // that comes. Of frames, in turn, the word that is watched.
  logic                      first_q = 1'b1;
  logic [SfWidth-1:0]        number_q, in_q;
  logic [$clog2(2*Sf+2)-1:0] come_q;
  logic                      in_turn_q, turn_q;
  logic [1:0][Width-1:0]     kept_q;
  logic [Wait-1:1]           mine_q;    // the step so many cycles ago is one of the word that is watched
  logic [Wait-1:1][Width-1:0] wanted_q;
  logic                      shown_q;   // the word out is
  logic [Width-1:0]          word_q;

  always_ff @(posedge clk_i) begin
    first_q <= 1'b0;
    if (first_q) begin
      assume (32'(number_i) < Sf);
      number_q <= number_i;
    end
    if (!rst_ni) begin
      pass_q    <= '0;
      sf_q      <= '0;
      in_q      <= '0;
      come_q    <= '0;
      in_turn_q <= 1'b0;
      turn_q    <= 1'b0;
      stepped_i <= '0;
      shown_q   <= 1'b0;
    end else begin
      if (step_i) begin
        sf_q <= sf_end ? '0 : sf_q + 1'b1;
        if (sf_end) pass_q <= last_i ? '0 : pass_q + 1'b1;
        if (last_i) turn_q <= !turn_q;
      end
      if (take) in_q <= 32'(in_q) == Sf - 1 ? '0 : in_q + 1'b1;
      if (take && 32'(in_q) == Sf - 1) in_turn_q <= !in_turn_q;
      come_q    <= come_q + ($bits(come_q))'(take) - (step_i && last_i ? ($bits(come_q))'(Sf) : '0);
      stepped_i <= (Wait-1)'({stepped_i, step_i});
      if (stepped_i[Wait-1]) shown_q <= mine_q[Wait-1];

      if (Buffer) begin
        assert (in_ready_o == (32'(come_q) < 2 * Sf));
        if (first_pass_i) assert (there_o == (come_q > ($bits(come_q))'(word_i)));
        if (!first_pass_i) assert (32'(come_q) >= Sf);
      end else begin
        assert (in_ready_o == (room_i && first_pass_i));
        if (first_pass_i) assert (there_o == in_valid_i && take == step_i && in_q == word_i);
      end
      if (shown_q) assert (word_o == word_q);
      cover (shown_q && turn_q && word_q == '1 && !stepped_i[Wait-1] && take);
      cover (shown_q && in_valid_i && !in_ready_o);
    end
    if (take && in_q == number_q) kept_q[in_turn_q] <= in_data_i;
    mine_q   <= (Wait-1)'({mine_q, word_i == number_q});
    wanted_q <= ((Wait-1)*Width)'({wanted_q, !Buffer && first_pass_i ? in_data_i : kept_q[turn_q]});
    if (stepped_i[Wait-1]) word_q <= wanted_q[Wait-1];
  end

endmodule
