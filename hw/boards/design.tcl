# The block design: processing system, AXI DMA in simple mode, the accelerator.
#
#   processing_system7_0/<control port> -> control -> accel/s_axi, dma/S_AXI_LITE
#   dma/M_AXI_MM2S, dma/M_AXI_S2MM -> memory  -> processing_system7_0/<memory port>
#   dma/M_AXIS_MM2S -> accel/s_axis,  accel/m_axis -> dma/S_AXIS_S2MM
#
# The ports are the board's, by the facts. One clock, FCLK_CLK0. The driver knows the cells processing_system7_0, dma and accel by name.

# Makes a cell after checking that this Vivado has the IP.
proc make_cell {vlnv name {configuration {}}} {
  if {[llength [get_ipdefs -all $vlnv]] == 0} {
    fail "this Vivado has no IP $vlnv"
  }
  set cell [create_bd_cell -type ip -vlnv $vlnv $name]
  set pairs {}
  foreach {key value} $configuration {
    lappend pairs CONFIG.$key $value
  }
  if {[llength $pairs]} {
    set_property -dict $pairs $cell
  }
}

# Connects two interfaces, the master first.
proc stream {master slave} {
  connect_bd_intf_net [get_bd_intf_pins $master] [get_bd_intf_pins $slave]
}

# Connects one driving pin to others.
proc fan_out {driver loads} {
  set pins [list [get_bd_pins $driver]]
  foreach load $loads {
    lappend pins [get_bd_pins $load]
  }
  connect_bd_net {*}$pins
}

# Maps a slave's segment at an address of a master.
proc map_segment {space segment base range} {
  assign_bd_address -offset $base -range $range \
    -target_address_space [get_bd_addr_spaces $space] [get_bd_addr_segs $segment] -force
}

# Makes the project $work/board with the block design `system` in it.
proc make_design {facts work} {
  set control_port processing_system7_0/[dict get $facts control_port]
  set memory_port processing_system7_0/[dict get $facts memory_port]
  create_project board $work/board -part [dict get $facts part] -force
  set_property ip_repo_paths $work/ip [current_project]
  update_ip_catalog

  create_bd_design system
  make_cell xilinx.com:ip:processing_system7:5.5 processing_system7_0 \
    [ps7_configuration [dict get $facts clock_mhz]]
  make_cell xilinx.com:ip:proc_sys_reset:5.0 reset
  make_cell xilinx.com:ip:smartconnect:1.0 control {NUM_SI 1 NUM_MI 2}
  make_cell xilinx.com:ip:smartconnect:1.0 memory {NUM_SI 2 NUM_MI 1}
  make_cell xilinx.com:ip:axi_dma:7.1 dma [list \
    c_include_sg 0 \
    c_include_mm2s 1 \
    c_include_s2mm 1 \
    c_sg_length_width [dict get $facts length_bits] \
    c_m_axi_mm2s_data_width [dict get $facts data_bits] \
    c_m_axis_mm2s_tdata_width [dict get $facts data_bits] \
    c_m_axi_s2mm_data_width [dict get $facts data_bits] \
    c_mm2s_burst_size 16 \
    c_s2mm_burst_size 16 \
  ]
  make_cell spinflow:accel:accel:1.0 accel

  # Pins of the package.
  set ddr [create_bd_intf_port -mode Master -vlnv xilinx.com:interface:ddrx_rtl:1.0 DDR]
  set fixed [create_bd_intf_port -mode Master \
    -vlnv xilinx.com:display_processing_system7:fixedio_rtl:1.0 FIXED_IO]
  connect_bd_intf_net [get_bd_intf_pins processing_system7_0/DDR] $ddr
  connect_bd_intf_net [get_bd_intf_pins processing_system7_0/FIXED_IO] $fixed

  # Clock and resets.
  fan_out processing_system7_0/FCLK_CLK0 [concat ${control_port}_ACLK ${memory_port}_ACLK {
    reset/slowest_sync_clk
    control/aclk
    memory/aclk
    dma/s_axi_lite_aclk
    dma/m_axi_mm2s_aclk
    dma/m_axi_s2mm_aclk
    accel/aclk
  }]
  fan_out processing_system7_0/FCLK_RESET0_N reset/ext_reset_in
  fan_out reset/interconnect_aresetn {control/aresetn memory/aresetn}
  fan_out reset/peripheral_aresetn {dma/axi_resetn accel/aresetn}

  # Registers, memory, streams.
  stream $control_port control/S00_AXI
  stream control/M00_AXI accel/s_axi
  stream control/M01_AXI dma/S_AXI_LITE
  stream dma/M_AXI_MM2S memory/S00_AXI
  stream dma/M_AXI_S2MM memory/S01_AXI
  stream memory/M00_AXI $memory_port
  stream dma/M_AXIS_MM2S accel/s_axis
  stream accel/m_axis dma/S_AXIS_S2MM

  # Addresses.
  map_segment processing_system7_0/Data accel/s_axi/reg0 \
    [dict get $facts accel_base] [dict get $facts accel_range]
  map_segment processing_system7_0/Data dma/S_AXI_LITE/Reg \
    [dict get $facts dma_base] [dict get $facts dma_range]
  foreach space {dma/Data_MM2S dma/Data_S2MM} {
    map_segment $space $memory_port/[dict get $facts memory_segment] \
      [dict get $facts memory_base] [dict get $facts memory_range]
  }

  validate_bd_design
  save_bd_design

  # The whole design is one synthesis run: one log, one place to look.
  set_property synth_checkpoint_mode None [get_files system.bd]
  generate_target all [get_files system.bd]
  add_files -norecurse [make_wrapper -files [get_files system.bd] -top]
  set_property top system_wrapper [current_fileset]
  update_compile_order -fileset sources_1
}
