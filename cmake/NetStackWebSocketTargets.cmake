# The imported targets: the library's two for the build tree and for the installed package, the surfaces' for the latter.

# NSWS_NATIVE_LIBRARIES: what the static library needs of the system; tests/native_libraries.sh compares it with
# rustc's list.
if(OHOS)
  # App packages hold lib*.so only.
  set(NSWS_SONAME libnetstack_websocket.so)
  set(NSWS_NATIVE_LIBRARIES unwind c)
else()
  set(NSWS_SONAME libnetstack_websocket.so.0)
  set(NSWS_NATIVE_LIBRARIES gcc_s util rt pthread m dl c)
endif()

function(nsws_import_shared library include_dir)
  add_library(NetStackWebSocket::shared SHARED IMPORTED GLOBAL)
  set_target_properties(NetStackWebSocket::shared PROPERTIES
    IMPORTED_LOCATION "${library}"
    IMPORTED_SONAME ${NSWS_SONAME}
    INTERFACE_INCLUDE_DIRECTORIES "${include_dir}")
endfunction()

function(nsws_import_static library include_dir)
  add_library(NetStackWebSocket::static STATIC IMPORTED GLOBAL)
  set_target_properties(NetStackWebSocket::static PROPERTIES
    IMPORTED_LOCATION "${library}"
    INTERFACE_INCLUDE_DIRECTORIES "${include_dir}"
    INTERFACE_LINK_LIBRARIES "${NSWS_NATIVE_LIBRARIES}")
endfunction()

# Defines NetStackWebSocket::NAME, a surface, if its library is there; ARGN are its include directories. A macro: what it finds
# is the package's component.
macro(nsws_import_surface name library)
  if(EXISTS "${library}")
    add_library(NetStackWebSocket::${name} SHARED IMPORTED GLOBAL)
    get_filename_component(soname "${library}" NAME)
    set_target_properties(NetStackWebSocket::${name} PROPERTIES
      IMPORTED_LOCATION "${library}"
      IMPORTED_SONAME "${soname}"
      IMPORTED_LINK_DEPENDENT_LIBRARIES NetStackWebSocket::shared
      INTERFACE_INCLUDE_DIRECTORIES "${ARGN}")
    set(NetStackWebSocket_${name}_FOUND TRUE)
  endif()
endmacro()
