# The BPF programs of collectors/witness, compiled into the library where the tools for it are there. Without them the
# collector `witness` says that it was left out, and links into netfilter are not listed.
find_program(FINWAIT_BPF_CLANG NAMES clang clang-19 clang-14)
find_program(FINWAIT_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin)
pkg_check_modules(BPF IMPORTED_TARGET libbpf>=1.0)
if(FINWAIT_BPF_CLANG AND FINWAIT_BPFTOOL AND BPF_FOUND)
  set(bpf_found ON)
else()
  set(bpf_found OFF)
endif()
option(FINWAIT_WITNESS "Build the BPF programs of collectors/witness" ${bpf_found})

if(FINWAIT_WITNESS)
  set(bpf_folder ${PROJECT_BINARY_DIR}/witness)
  file(MAKE_DIRECTORY ${bpf_folder})
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(bpf_arch arm64)
  else()
    set(bpf_arch x86)
  endif()
  # The program NAME.bpf.c, as a header for the loader, BUILT.skel.h. No path of the machine that builds stays in it: the
  # debug information, of which the loader needs the types alone, is stripped (bpftool gen object).
  function(finwait_bpf_program name built)
    set(source ${PROJECT_SOURCE_DIR}/collectors/witness/${name}.bpf.c)
    add_custom_command(
      OUTPUT ${bpf_folder}/${built}.skel.h
      COMMAND ${FINWAIT_BPF_CLANG} -g -O2 -Wall $<$<BOOL:${FINWAIT_WERROR}>:-Werror> -target bpf -mcpu=v2
              -D__TARGET_ARCH_${bpf_arch} -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
              -I${PROJECT_SOURCE_DIR}/collectors/witness -I${PROJECT_SOURCE_DIR}
              -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.
              -fdebug-compilation-dir=. -c ${source} -o ${bpf_folder}/${built}.compiled.o
      COMMAND ${FINWAIT_BPFTOOL} gen object ${bpf_folder}/${built}.o ${bpf_folder}/${built}.compiled.o
      COMMAND ${FINWAIT_BPFTOOL} gen skeleton ${bpf_folder}/${built}.o name ${built} > ${bpf_folder}/${built}.skel.h
      DEPENDS ${source} ${PROJECT_SOURCE_DIR}/collectors/witness/event.h
              ${PROJECT_SOURCE_DIR}/collectors/witness/kernel_types.bpf.h
              ${PROJECT_SOURCE_DIR}/collectors/witness/netfilter_record.h
              ${PROJECT_SOURCE_DIR}/collectors/witness/table_record.h
      COMMAND_EXPAND_LISTS VERBATIM
    )
  endfunction()
  finwait_bpf_program(witness finwait_witness)
  finwait_bpf_program(netfilter_links finwait_netfilter_links)
  finwait_bpf_program(table_walk finwait_table_walk)
  add_custom_target(finwait_bpf DEPENDS ${bpf_folder}/finwait_witness.skel.h
                                        ${bpf_folder}/finwait_netfilter_links.skel.h
                                        ${bpf_folder}/finwait_table_walk.skel.h)
  add_dependencies(finwait_witness finwait_bpf)
  target_link_libraries(finwait_witness PRIVATE PkgConfig::BPF)
  # What bpftool writes is not held to our warnings; and it names things as other files do.
  target_include_directories(finwait_witness SYSTEM PRIVATE ${bpf_folder})
  set_source_files_properties(collectors/witness/probe.cc collectors/witness/netfilter_links.cc
                              collectors/witness/table_walker.cc
                              PROPERTIES COMPILE_DEFINITIONS FINWAIT_BPF SKIP_UNITY_BUILD_INCLUSION ON)
endif()
