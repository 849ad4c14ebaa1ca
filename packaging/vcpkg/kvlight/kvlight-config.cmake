# find_package(kvlight CONFIG) defines kvlight::kvlight, the shared or the static library according to the triplet, for each configuration.

get_filename_component(_kvlight_root "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
include("${CMAKE_CURRENT_LIST_DIR}/kvlight-needed.cmake")

if(NOT TARGET kvlight::kvlight)
  if(EXISTS "${_kvlight_root}/lib/libkvlight.a" OR EXISTS "${_kvlight_root}/debug/lib/libkvlight.a")
    add_library(kvlight::kvlight STATIC IMPORTED)
    set_target_properties(kvlight::kvlight PROPERTIES
      IMPORTED_LINK_INTERFACE_LANGUAGES C
      INTERFACE_COMPILE_DEFINITIONS KVL_STATIC
      INTERFACE_LINK_LIBRARIES "${_kvlight_needed}")
    set(_kvlight_file lib/libkvlight.a)
  else()
    add_library(kvlight::kvlight SHARED IMPORTED)
    if(WIN32)
      set(_kvlight_file bin/kvlight.dll)
    elseif(APPLE)
      set(_kvlight_file lib/libkvlight.dylib)
    else()
      set(_kvlight_file lib/libkvlight.so)
    endif()
  endif()
  set_target_properties(kvlight::kvlight PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_kvlight_root}/include")
  foreach(_kvlight_configuration IN ITEMS RELEASE DEBUG)
    set(_kvlight_prefix "${_kvlight_root}")
    if(_kvlight_configuration STREQUAL "DEBUG")
      set(_kvlight_prefix "${_kvlight_root}/debug")
    endif()
    if(EXISTS "${_kvlight_prefix}/${_kvlight_file}")
      set_property(TARGET kvlight::kvlight APPEND PROPERTY IMPORTED_CONFIGURATIONS ${_kvlight_configuration})
      set_target_properties(kvlight::kvlight PROPERTIES
        IMPORTED_LOCATION_${_kvlight_configuration} "${_kvlight_prefix}/${_kvlight_file}"
        IMPORTED_IMPLIB_${_kvlight_configuration} "${_kvlight_prefix}/lib/libkvlight.dll.a")
    endif()
  endforeach()
endif()

unset(_kvlight_root)
unset(_kvlight_needed)
unset(_kvlight_file)
unset(_kvlight_prefix)
unset(_kvlight_configuration)
