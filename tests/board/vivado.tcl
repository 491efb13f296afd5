# Plays Vivado for one script: `tclsh vivado.tcl SCRIPT ARGUMENTS...`.
#
# Knows the commands that a script may use and the forms of their arguments; any other is an error.
# Writes each call as a line of JSON to $VIVADO_CALLS. Answers and failures are set by environment:
# VIVADO_VERSION, VIVADO_SETUP and VIVADO_HOLD (slacks in ns, one for each implementation, the last
# for all that follow; or none), VIVADO_FAILS (a run), VIVADO_HWH (handover file to hand out, or none),
# VIVADO_UTILIZATION and VIVADO_HIERARCHY (reports to hand out).

namespace eval vivado {
  # By command: fewest and most positional arguments, and its options with their number of values.
  variable forms {
    version                   {0 0 {-short 0}}
    create_project            {1 2 {-part 1 -force 0}}
    close_project             {0 0 {}}
    current_project           {0 0 {}}
    current_fileset           {0 0 {}}
    add_files                 {1 1 {-norecurse 0}}
    get_files                 {1 1 {}}
    update_compile_order      {0 0 {-fileset 1}}
    update_ip_catalog         {0 0 {}}
    set_property              {2 3 {-dict 1}}
    get_property              {2 2 {}}
    get_ipdefs                {1 1 {-all 0}}
    create_bd_design          {1 1 {}}
    create_bd_cell            {1 1 {-type 1 -vlnv 1}}
    create_bd_intf_port       {1 1 {-mode 1 -vlnv 1}}
    get_bd_intf_pins          {1 1 {}}
    get_bd_pins               {1 1 {}}
    connect_bd_intf_net       {2 2 {}}
    connect_bd_net            {2 99 {}}
    get_bd_addr_spaces        {1 1 {}}
    get_bd_addr_segs          {1 1 {}}
    assign_bd_address         {1 1 {-offset 1 -range 1 -target_address_space 1 -force 0}}
    validate_bd_design        {0 0 {}}
    save_bd_design            {0 0 {}}
    generate_target           {2 2 {}}
    make_wrapper              {0 0 {-files 1 -top 0}}
    get_runs                  {1 1 {}}
    launch_runs               {1 1 {-jobs 1 -to_step 1}}
    reset_run                 {1 1 {}}
    close_design              {0 0 {}}
    wait_on_runs              {1 1 {}}
    open_run                  {1 1 {}}
    report_utilization        {0 0 {-file 1 -hierarchical 0}}
    report_timing_summary     {0 0 {-file 1}}
    get_timing_paths          {0 0 {-setup 0 -hold 0 -max_paths 1}}
    ipx::package_project      {0 0 {-root_dir 1 -vendor 1 -library 1 -taxonomy 1 -import_files 0
                                    -force 0}}
    ipx::current_core         {0 0 {}}
    ipx::remove_all_memory_map {1 1 {}}
    ipx::add_memory_map       {2 2 {}}
    ipx::get_bus_interfaces   {1 1 {-of_objects 1}}
    ipx::add_address_block    {2 2 {}}
    ipx::add_register         {2 2 {}}
    ipx::add_field            {2 2 {}}
    ipx::create_xgui_files    {1 1 {}}
    ipx::update_checksums     {1 1 {}}
    ipx::check_integrity      {1 1 {}}
    ipx::save_core            {1 1 {}}
  }
  variable directory ""
  variable project ""
  variable wrapper ""
  variable implemented 0   ;# how often
  variable opened 0        ;# a design is open
  variable log [open $::env(VIVADO_CALLS) w]
}
namespace eval ipx {}

proc vivado::quoted {text} {
  return "\"[string map [list \\ \\\\ \" \\\" \n \\n \t \\t] $text]\""
}

# Checks a call's form, writes it down and returns {positional arguments, options}.
proc vivado::call {name arguments} {
  variable forms
  variable log
  lassign [dict get $forms $name] fewest most known
  set positional {}
  set options {}
  while {[llength $arguments]} {
    set arguments [lassign $arguments argument]
    # A negative number, and the value of a property, are no options.
    if {[string match -* $argument] && ![string is double $argument]} {
      if {![dict exists $known $argument]} {
        error "$name has no option $argument"
      }
      if {[dict get $known $argument] && ![llength $arguments]} {
        error "$name: option $argument lacks its value"
      }
      set value 1
      if {[dict get $known $argument]} {
        set arguments [lassign $arguments value]
      }
      dict set options $argument $value
    } else {
      lappend positional $argument
    }
  }
  set number [llength $positional]
  if {$name eq "set_property" && [dict exists $options -dict]} {
    incr number
  }
  if {$number < $fewest || $number > $most} {
    error "$name takes $fewest to $most arguments, not $number: $positional"
  }
  set parts {}
  foreach {option value} $options {
    lappend parts "[quoted $option]: [quoted $value]"
  }
  set words {}
  foreach word $positional {
    lappend words [quoted $word]
  }
  puts $log "\[[quoted $name], \[[join $words {, }]\], {[join $parts {, }]}\]"
  flush $log
  return [list $positional $options]
}

proc vivado::touch {path {source ""}} {
  file mkdir [file dirname $path]
  if {$source ne ""} {
    file copy -force $source $path
  } else {
    set file [open $path w]
    puts $file "made by tests/board/vivado.tcl"
    close $file
  }
}

# What a command does and gives back, once its form is right.
proc vivado::act {name positional options} {
  variable directory
  variable project
  variable wrapper
  variable implemented
  variable opened
  set first [lindex $positional 0]
  switch -- $name {
    version {return $::env(VIVADO_VERSION)}
    create_project {
      set project $first
      set directory [lindex $positional 1]
      file mkdir $directory
    }
    close_project {set project ""}
    current_project {return $project}
    current_fileset {return sources_1}
    add_files {
      foreach file $first {
        if {![file exists $file]} {
          error "add_files: $file does not exist"
        }
      }
      return $first
    }
    get_files - get_ipdefs - get_runs - get_bd_intf_pins - get_bd_pins - get_bd_addr_spaces -
    get_bd_addr_segs {return $first}
    create_bd_cell - create_bd_intf_port {return $first}
    get_property {
      switch -- $first {
        PROGRESS {return [expr {$::env(VIVADO_FAILS) eq [lindex $positional 1] ? "42%" : "100%"}]}
        STATUS {return [expr {$::env(VIVADO_FAILS) eq [lindex $positional 1] ? "failed" : "done"}]}
        SLACK {return [lindex $positional 1]}
        default {error "get_property $first is not known"}
      }
    }
    get_timing_paths {
      set slacks $::env([expr {[dict exists $options -hold] ? "VIVADO_HOLD" : "VIVADO_SETUP"}])
      set slack [lindex $slacks [expr {min($implemented, [llength $slacks]) - 1}]]
      return [expr {$slack eq "none" ? "" : $slack}]
    }
    generate_target {
      if {$::env(VIVADO_HWH) ne "none"} {
        touch $directory/$project.gen/sources_1/bd/system/hw_handoff/system.hwh $::env(VIVADO_HWH)
      }
    }
    make_wrapper {
      set wrapper $directory/$project.gen/sources_1/bd/system/hdl/system_wrapper.v
      touch $wrapper
      return $wrapper
    }
    wait_on_runs {
      if {$::env(VIVADO_FAILS) eq $first} {
        error "Failed runs(s) : '$first'"
      }
    }
    reset_run {
      if {$opened} {
        error "reset_run: the design of $first is open"
      }
    }
    open_run {set opened 1}
    close_design {set opened 0}
    launch_runs {
      if {$first eq "impl_1"} {
        incr implemented
      }
      if {[dict exists $options -to_step] && $::env(VIVADO_FAILS) ne $first} {
        touch $directory/$project.runs/$first/system_wrapper.bit
      }
    }
    report_utilization {
      set kind [expr {[dict exists $options -hierarchical] ? "HIERARCHY" : "UTILIZATION"}]
      touch [dict get $options -file] $::env(VIVADO_$kind)
    }
    report_timing_summary {touch [dict get $options -file]}
    ipx::current_core {return core}
    ipx::get_bus_interfaces {return bus:$first}
    ipx::add_memory_map - ipx::add_address_block - ipx::add_register - ipx::add_field {
      return [lindex $positional 1]/$first
    }
  }
  return ""
}

foreach {vivado::name vivado::form} $vivado::forms {
  proc $vivado::name {args} [format {
    lassign [vivado::call %1$s $args] positional options
    return [vivado::act %1$s $positional $options]
  } $vivado::name]
}

set vivado::script [lindex $argv 0]
set argv [lrange $argv 1 end]
set argc [llength $argv]
if {[catch {source $vivado::script} vivado::message]} {
  puts "ERROR: $vivado::message"
  flush stdout
  exit 1
}
exit 0
