# Plays Vitis HLS for one script: `tclsh vitis_hls.tcl SCRIPT`.
#
# Knows the commands that the script may use and the forms of their arguments; any other is an error, and so
# is a command before those that it needs. C simulation and co-simulation do compile the files that were added,
# with their flags, and run the program. Writes each call as a line to $VITIS_CALLS. Set by environment:
# VITIS_FAILS (a command), VITIS_HEADERS (folder of ap_int.h), VITIS_REPORT (report of C synthesis to hand out).

namespace eval vitis {
  # By command: fewest and most positional arguments, its options with their number of values, and the
  # commands that must have been called before.
  variable forms {
    open_project   {1 1 {-reset 0} {}}
    set_top        {1 1 {} {open_project}}
    add_files      {1 1 {-cflags 1 -csimflags 1 -tb 0} {open_project}}
    open_solution  {1 1 {-reset 0 -flow_target 1} {open_project set_top add_files}}
    set_part       {1 1 {} {open_solution}}
    create_clock   {0 0 {-period 1 -name 1} {open_solution}}
    csim_design    {0 0 {-argv 1 -clean 0} {open_solution}}
    csynth_design  {0 0 {} {set_part create_clock}}
    cosim_design   {0 0 {-argv 1 -rtl 1} {csynth_design}}
    export_design  {0 0 {-format 1 -rtl 1 -vendor 1 -library 1 -ipname 1 -version 1 -output 1}
                    {csynth_design}}
  }
  variable log [open $::env(VITIS_CALLS) w]
  variable called {}
  variable project ""
  variable solution ""
  variable top ""
  variable files {}   ;# pairs of file and flags
}

# Checks a call's form and order, writes it down and returns {positional arguments, options}.
proc vitis::call {name arguments} {
  variable forms
  variable log
  variable called
  lassign [dict get $forms $name] fewest most known before
  set positional {}
  set options {}
  set words $arguments
  while {[llength $words]} {
    set words [lassign $words word]
    if {[string match -* $word]} {
      if {![dict exists $known $word]} {
        error "$name has no option $word"
      }
      set value 1
      if {[dict get $known $word]} {
        if {![llength $words]} {
          error "$name: option $word lacks its value"
        }
        set words [lassign $words value]
      }
      dict set options $word $value
    } else {
      lappend positional $word
    }
  }
  if {[llength $positional] < $fewest || [llength $positional] > $most} {
    error "$name takes $fewest to $most arguments, not: $positional"
  }
  foreach needed $before {
    if {$needed ni $called} {
      error "$name before $needed"
    }
  }
  lappend called $name
  puts $log [string trimright "$name $arguments"]
  flush $log
  if {$::env(VITIS_FAILS) eq $name} {
    error "played to fail"
  }
  return [list $positional $options]
}

# Compiles all files and runs the program, as C simulation does.
proc vitis::simulate {folder arguments} {
  variable files
  if {![file exists $folder/csim.exe]} {
    file mkdir $folder
    set objects {}
    foreach {file flags} $files {
      set object $folder/[file rootname [file tail $file]].o
      exec g++ -c -w -isystem $::env(VITIS_HEADERS) {*}$flags $file -o $object
      lappend objects $object
    }
    exec g++ {*}$objects -o $folder/csim.exe
  }
  set here [pwd]
  cd $folder
  set status [catch {exec ./csim.exe {*}$arguments} said]
  cd $here
  puts $said
  if {$status} {
    error "the bench says: $said"
  }
}

proc vitis::touch {path text} {
  file mkdir [file dirname $path]
  set file [open $path w]
  puts -nonewline $file $text
  close $file
}

# What a command does, once its form is right.
proc vitis::act {name positional options} {
  variable project
  variable solution
  variable top
  variable files
  set first [lindex $positional 0]
  switch -- $name {
    open_project {
      set project $first
      if {[dict exists $options -reset]} {
        file delete -force $first
      }
      file mkdir $first
    }
    set_top {set top $first}
    add_files {
      if {![file exists $first]} {
        error "add_files: $first does not exist"
      }
      lappend files $first [dict get $options -cflags]
    }
    open_solution {
      if {[dict get $options -flow_target] ni {vivado vitis}} {
        error "there is no flow [dict get $options -flow_target]"
      }
      set solution $project/$first
    }
    csim_design {simulate $solution/csim/build [dict get $options -argv]}
    csynth_design {
      set file [open $::env(VITIS_REPORT)]
      touch $solution/syn/report/${top}_csynth.xml [read $file]
      close $file
    }
    cosim_design {simulate $solution/csim/build [dict get $options -argv]}
    export_design {touch [dict get $options -output] "made by vitis_hls.tcl"}
  }
  return ""
}

foreach {vitis::name vitis::form} $vitis::forms {
  proc $vitis::name {args} [format {
    lassign [vitis::call %1$s $args] positional options
    return [vitis::act %1$s $positional $options]
  } $vitis::name]
}

set argv {}
puts "****** Vitis HLS - High-Level Synthesis from C, C++ and OpenCL"
if {[catch {source $vitis_script} vitis::message]} {
  puts "ERROR: $vitis::message"
  flush stdout
  exit 1
}
puts "vitis_hls>"
exit 3
