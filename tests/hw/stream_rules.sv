// Which streams keep the rule of stream_rule.sv: those at the ports of every module that has any. What
// goes in is what another module, ours or FINN's, gives out.

bind bin_maxpool stream_rule #(
  .Width ($bits(in_data_i))
) u_in_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (in_data_i),
  .valid_i (in_valid_i),
  .ready_i (in_ready_o)
);
bind bin_maxpool stream_rule #(
  .Width ($bits(out_data_o))
) u_out_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (out_data_o),
  .valid_i (out_valid_o),
  .ready_i (out_ready_i)
);
bind bin_threshold stream_rule #(
  .Width ($bits(in_data_i))
) u_in_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (in_data_i),
  .valid_i (in_valid_i),
  .ready_i (in_ready_o)
);
bind bin_threshold stream_rule #(
  .Width ($bits(out_data_o))
) u_out_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (out_data_o),
  .valid_i (out_valid_o),
  .ready_i (out_ready_i)
);
bind binary_mvu stream_rule #(
  .Width ($bits(in_data_i))
) u_in_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (in_data_i),
  .valid_i (in_valid_i),
  .ready_i (in_ready_o)
);
bind binary_mvu stream_rule #(
  .Width ($bits(out_data_o))
) u_out_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (out_data_o),
  .valid_i (out_valid_o),
  .ready_i (out_ready_i)
);
bind buffer_mem stream_rule #(
  .Width ($bits(in_data_i))
) u_in_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (in_data_i),
  .valid_i (in_valid_i),
  .ready_i (in_ready_o)
);
bind buffer_mem stream_rule #(
  .Width ($bits(out_data_o))
) u_out_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (out_data_o),
  .valid_i (out_valid_o),
  .ready_i (out_ready_i)
);
bind class_scores stream_rule #(
  .Width ($bits(in_data_i))
) u_in_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (in_data_i),
  .valid_i (in_valid_i),
  .ready_i (in_ready_o)
);
bind class_scores stream_rule #(
  .Width ($bits(out_data_o))
) u_out_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (out_data_o),
  .valid_i (out_valid_o),
  .ready_i (out_ready_i)
);
bind label_select stream_rule #(
  .Width ($bits(in_data_i))
) u_in_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (in_data_i),
  .valid_i (in_valid_i),
  .ready_i (in_ready_o)
);
bind label_select stream_rule #(
  .Width ($bits(out_data_o))
) u_out_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (out_data_o),
  .valid_i (out_valid_o),
  .ready_i (out_ready_i)
);
bind stream_narrow stream_rule #(
  .Width ($bits(in_data_i))
) u_in_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (in_data_i),
  .valid_i (in_valid_i),
  .ready_i (in_ready_o)
);
bind stream_narrow stream_rule #(
  .Width ($bits(out_data_o))
) u_out_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (out_data_o),
  .valid_i (out_valid_o),
  .ready_i (out_ready_i)
);
bind stream_pad stream_rule #(
  .Width ($bits(in_data_i))
) u_in_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (in_data_i),
  .valid_i (in_valid_i),
  .ready_i (in_ready_o)
);
bind stream_pad stream_rule #(
  .Width ($bits(out_data_o))
) u_out_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (out_data_o),
  .valid_i (out_valid_o),
  .ready_i (out_ready_i)
);
bind stream_widen stream_rule #(
  .Width ($bits(in_data_i))
) u_in_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (in_data_i),
  .valid_i (in_valid_i),
  .ready_i (in_ready_o)
);
bind stream_widen stream_rule #(
  .Width ($bits(out_data_o))
) u_out_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (out_data_o),
  .valid_i (out_valid_o),
  .ready_i (out_ready_i)
);
bind frame_io stream_rule #(
  .Width ($bits(in_data_o))
) u_in_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (in_data_o),
  .valid_i (in_valid_o),
  .ready_i (in_ready_i)
);
bind frame_io stream_rule #(
  .Width ($bits(label_data_i))
) u_label_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (label_data_i),
  .valid_i (label_valid_i),
  .ready_i (label_ready_o)
);
bind frame_io stream_rule #(
  .Width (37)
) u_m_axis_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  ({m_axis_tlast, m_axis_tkeep, m_axis_tdata}),
  .valid_i (m_axis_tvalid),
  .ready_i (m_axis_tready)
);
bind axil_slave stream_rule #(
  .Width ($bits(awaddr_i))
) u_aw_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (awaddr_i),
  .valid_i (awvalid_i),
  .ready_i (awready_o)
);
bind axil_slave stream_rule #(
  .Width (36)
) u_w_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  ({wstrb_i, wdata_i}),
  .valid_i (wvalid_i),
  .ready_i (wready_o)
);
bind axil_slave stream_rule #(
  .Width ($bits(bresp_o))
) u_b_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (bresp_o),
  .valid_i (bvalid_o),
  .ready_i (bready_i)
);
bind axil_slave stream_rule #(
  .Width ($bits(araddr_i))
) u_ar_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (araddr_i),
  .valid_i (arvalid_i),
  .ready_i (arready_o)
);
bind axil_slave stream_rule #(
  .Width (34)
) u_r_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  ({rresp_o, rdata_o}),
  .valid_i (rvalid_o),
  .ready_i (rready_i)
);
bind window_words stream_rule #(
  .Width ($bits(in_data_i))
) u_in_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (in_data_i),
  .valid_i (in_valid_i),
  .ready_i (in_ready_o)
);
bind window_words stream_rule #(
  .Width ($bits(out_data_o))
) u_out_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (out_data_o),
  .valid_i (out_valid_o),
  .ready_i (out_ready_i)
);
bind window_at_once stream_rule #(
  .Width ($bits(in_data_i))
) u_in_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (in_data_i),
  .valid_i (in_valid_i),
  .ready_i (in_ready_o)
);
bind window_at_once stream_rule #(
  .Width ($bits(out_data_o))
) u_out_rule (
  .clk_i   (clk_i),
  .rst_ni  (rst_ni),
  .data_i  (out_data_o),
  .valid_i (out_valid_o),
  .ready_i (out_ready_i)
);
