# Packages the accelerator as the IP spinflow:accel:accel:1.0, with the registers that pynq shows.

# Makes $work/ip from $work/src.
proc package_accel {facts work} {
  # Packaging wants a project on disk; it is of no use afterwards.
  create_project accel_package $work/package -part [dict get $facts part] -force
  set files {}
  foreach source [dict get $facts sources] {
    lappend files $work/src/$source
  }
  add_files -norecurse $files
  set_property top [dict get $facts top] [current_fileset]
  update_compile_order -fileset sources_1

  ipx::package_project -root_dir $work/ip -vendor spinflow -library accel -taxonomy /UserIP \
    -import_files -force
  set core [ipx::current_core]
  set_property name accel $core
  set_property version 1.0 $core
  set_property display_name "Spinflow accelerator of [dict get $facts network]" $core
  set_property supported_families {zynq Production} $core

  # The packager makes an address block of its own. With two of them pynq would give the cell two
  # names, so there is one, with the range that the processor maps.
  ipx::remove_all_memory_map $core
  set map [ipx::add_memory_map s_axi $core]
  set_property slave_memory_map_ref s_axi [ipx::get_bus_interfaces s_axi -of_objects $core]
  set block [ipx::add_address_block reg0 $map]
  set_property base_address 0 $block
  set_property range [expr {[dict get $facts accel_range]}] $block
  set_property width 32 $block
  set_property usage register $block
  foreach entry [dict get $facts registers] {
    lassign $entry name offset fields
    set register [ipx::add_register $name $block]
    set_property address_offset $offset $register
    set_property size 32 $register
    foreach {field lowest bits} $fields {
      set part [ipx::add_field $field $register]
      set_property bit_offset $lowest $part
      set_property bit_width $bits $part
    }
  }

  ipx::create_xgui_files $core
  ipx::update_checksums $core
  ipx::check_integrity $core
  ipx::save_core $core
  close_project
}
