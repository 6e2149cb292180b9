# Precompiled headers: what nearly every file of ours includes, compiled once for all libraries. What a compiler reads is
# otherwise the larger part of the time that a build takes.
option(FINWAIT_PRECOMPILE "Precompile the headers that most files include" ON)
if(FINWAIT_PRECOMPILE)
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/precompiled.cc CONTENT "")
  add_library(finwait_precompiled OBJECT ${PROJECT_BINARY_DIR}/precompiled.cc)
  target_link_libraries(finwait_precompiled PRIVATE finwait_flags)
  target_precompile_headers(finwait_precompiled PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.h)
endif()

# Several files of a library compiled as one: what they include is read and instantiated once for all of them. A first build
# takes less than two thirds of the time, a build after a change in one file more. No name of an unnamed namespace may then
# stand in two files of a library.
option(FINWAIT_UNITY "Compile several files of a library at once: for who builds only once; with FINWAIT_PRECOMPILE" OFF)
if(FINWAIT_PRECOMPILE)
  set(CMAKE_UNITY_BUILD ${FINWAIT_UNITY})
endif()
set(CMAKE_UNITY_BUILD_BATCH_SIZE 16)

function(finwait_precompile target)
  if(FINWAIT_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM finwait_precompiled)
  endif()
endfunction()

# finwait_library(FOLDER LINKS ...): the static library of one folder.
#
# collectors/firewall/eval becomes finwait_firewall_eval, its code stands in namespace finwait::firewall::eval. LINKS names
# what it may include: other libraries by their short name (firewall_model), packages by their target. A library of headers
# only has nothing to compile and is an INTERFACE. Order matters: a library links only what is declared before it, so
# that no ring can be written down.
function(finwait_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 library "" "" "LINKS")
  string(REGEX REPLACE "^(collectors|exporter)/" "" name ${folder})
  string(REPLACE "/" "_" name ${name})
  set(links finwait_flags)
  foreach(link IN LISTS library_LINKS)
    if(link MATCHES "::")
      list(APPEND links ${link})
    elseif(TARGET finwait_${link})
      list(APPEND links finwait_${link})
    else()
      message(FATAL_ERROR "${folder} links ${link}, which no line above declares")
    endif()
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cc)
  if(sources)
    add_library(finwait_${name} STATIC ${sources})
    target_link_libraries(finwait_${name} PUBLIC ${links})
    finwait_precompile(finwait_${name})
  else()
    add_library(finwait_${name} INTERFACE)
    target_link_libraries(finwait_${name} INTERFACE ${links})
  endif()
endfunction()
