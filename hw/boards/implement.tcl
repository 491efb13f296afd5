# Synthesis, implementation and bitstream of the project `board`, and what it must hold.

# Waits for a run; ends with one line if it failed.
proc finish_run {run work} {
  # Vivado raises an error of its own for some failures; the run's state tells of all of them.
  catch {wait_on_runs $run}
  if {[get_property PROGRESS [get_runs $run]] ne "100%"} {
    fail "Vivado's $run failed ([get_property STATUS [get_runs $run]]): see\
      $work/board/board.runs/$run/runme.log"
  }
}

# Returns the worst slack in ns of one kind of check, -setup or -hold.
proc worst_slack {kind} {
  set paths [get_timing_paths $kind -max_paths 1]
  if {[llength $paths] == 0} {
    fail "the design has no timing paths ($kind): it lacks its clock"
  }
  return [get_property SLACK [lindex $paths 0]]
}

# Implements with one strategy after the other until timing is met; returns the strategy, the slack of
# setup and that of hold. The implementation is open then, and its reports are in $out.
proc close_timing {strategies jobs work out} {
  set missed {}
  foreach strategy $strategies {
    if {[llength $missed]} {
      puts "timing is missed by [lindex $missed end]; trying $strategy"
      close_design
      reset_run impl_1
    }
    set_property strategy $strategy [get_runs impl_1]
    launch_runs impl_1 -to_step write_bitstream -jobs $jobs
    finish_run impl_1 $work
    open_run impl_1
    report_utilization -file $out/utilization.txt
    report_utilization -hierarchical -file $out/utilization-hierarchical.txt
    report_timing_summary -file $out/timing.txt
    set wns [worst_slack -setup]
    set whs [worst_slack -hold]
    if {$wns >= 0 && $whs >= 0} {
      return [list $strategy $wns $whs]
    }
    lappend missed "$wns ns (setup), $whs ns (hold) with $strategy"
  }
  return [list "" [join $missed {; }] ""]
}

# Leaves the bitstream, the handover file and result.json in $work/out, if timing is met.
proc implement {facts work} {
  set out $work/out
  set jobs [dict get $facts jobs]
  launch_runs synth_1 -jobs $jobs
  finish_run synth_1 $work

  # Both place and route with more effort than Vivado's defaults and optimise after routing; the
  # second one places for wires that are longer than expected.
  lassign [close_timing {Performance_ExplorePostRoutePhysOpt Performance_NetDelay_high} \
    $jobs $work $out] strategy wns whs
  if {$strategy eq ""} {
    fail "timing is not met at [dict get $facts clock_mhz] MHz: worst slack $wns;\
      see $out/timing.txt, choose a folding with less logic in a cycle"
  }

  set bitstream $work/board/board.runs/impl_1/system_wrapper.bit
  set handover $work/board/board.gen/sources_1/bd/system/hw_handoff/system.hwh
  foreach file [list $bitstream $handover] {
    if {![file exists $file]} {
      fail "Vivado ended without an error but did not write $file"
    }
  }
  file copy -force $bitstream $out/accel.bit
  file copy -force $handover $out/accel.hwh
  set result [open $out/result.json w]
  puts $result "{\"build_id\": [dict get $facts build_id], \"vivado\": \"[version -short]\",\
    \"strategy\": \"$strategy\", \"wns_ns\": $wns, \"whs_ns\": $whs}"
  close $result
}
