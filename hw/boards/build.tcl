# Makes the bitstream of one network in Vivado's batch mode, 2022.2 or newer:
#
#   vivado -mode batch -source hw/boards/build.tcl -tclargs build/<network>/vivado
#
# The folder is the one that prepare.py makes; the board's ps7.tcl is in it. When all is done and timing is met, its subfolder
# out/ holds accel.bit, accel.hwh and result.json; reports are there in any case.

set oldest_vivado 2022.2

# Ends the run with one line that says why.
proc fail {message} {
  puts stderr "spinflow: $message"
  flush stderr
  exit 1
}

# Returns a version such as 2022.2 as a number that can be compared, or an empty string.
proc version_number {version} {
  if {![regexp {^(\d{4})\.(\d+)} $version -> year release]} {
    return ""
  }
  return [expr {[scan $year %d] * 100 + [scan $release %d]}]
}

# Refuses a Vivado that this design was not written for.
proc check_version {version} {
  global oldest_vivado
  set number [version_number $version]
  if {$number eq ""} {
    fail "Vivado's version \"$version\" cannot be read; $oldest_vivado or newer is needed"
  }
  if {$number < [version_number $oldest_vivado]} {
    fail "this is Vivado $version; $oldest_vivado or newer is needed"
  }
}

check_version [version -short]

if {[llength $argv] != 1} {
  fail "one argument is needed, the folder that prepare.py makes"
}
set scripts [file dirname [file normalize [info script]]]
set work [file normalize [lindex $argv 0]]
if {![file exists $work/facts.tcl]} {
  fail "$work has no facts.tcl; run prepare.py first"
}
source $work/facts.tcl

source $work/ps7.tcl
source $scripts/package.tcl
source $scripts/design.tcl
source $scripts/implement.tcl

file delete -force $work/out
file mkdir $work/out
package_accel $facts $work
make_design $facts $work
implement $facts $work
exit 0
