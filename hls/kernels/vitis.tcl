# Takes one kernel through Vitis HLS, 2022.2 or newer, in the folder that `spinflow hls-kernel` prepares:
#
#   cd build/hls/KERNEL && vitis_hls -f .../hls/kernels/vitis.tcl
#   cd build/hls/KERNEL && vitis-run --mode hls --tcl .../hls/kernels/vitis.tcl
#
# facts.tcl there says what is to be done. C simulation and co-simulation run the bench on inputs.txt and
# fail where what comes of it is not expected.txt. The IP goes to out/.

# Ends the run with one line that says why; the tool would go on to ask for commands.
proc fail {message} {
  puts stderr "spinflow: $message"
  flush stderr
  exit 1
}

# Opens a project and its only solution anew.
proc open_kernel {facts work} {
  set kernels [dict get $facts kernels]
  set top [dict get $facts top]
  set flags "-std=c++14 -I$work -I$kernels -I$kernels/top"
  open_project -reset project
  set_top $top
  add_files $kernels/top/$top.cpp -cflags $flags
  add_files -tb $kernels/bench/[dict get $facts bench].cpp -cflags "$flags -I$kernels/bench"
  open_solution -reset solution -flow_target vivado
  set_part [dict get $facts part]
  create_clock -period [dict get $facts period] -name default
}

# Does one step: csim, csynth, cosim or export.
proc do_step {step facts work} {
  set files "$work/inputs.txt $work/outputs.txt $work/expected.txt"
  switch -- $step {
    csim   {csim_design -argv $files}
    csynth {csynth_design}
    cosim  {cosim_design -rtl verilog -argv $files}
    export {
      file mkdir $work/out
      export_design -format ip_catalog -rtl verilog -vendor spinflow -library hls \
        -ipname [dict get $facts top] -version 1.0 -output $work/out/[dict get $facts top].zip
    }
    default {error "there is no step $step"}
  }
}

set work [pwd]
if {![file exists $work/facts.tcl]} {
  fail "$work has no facts.tcl; run spinflow hls-kernel first"
}
source $work/facts.tcl

if {[catch {open_kernel $facts $work} message]} {
  fail "the project cannot be set up: $message"
}
foreach step [dict get $facts steps] {
  if {[catch {do_step $step $facts $work} message]} {
    fail "$step of [dict get $facts top] failed: $message"
  }
}
exit 0
