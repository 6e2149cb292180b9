# What an installation consists of, and the Debian package made of it: scripts/package.sh.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # a package needs the program, not the tests
set(PACKAGING ${PROJECT_SOURCE_DIR}/packaging)
set(PREPARED ${PROJECT_BINARY_DIR}/packaging)

# Debian wants these compressed, without a time in them.
function(finwait_compress source name)
  add_custom_command(
    OUTPUT ${PREPARED}/${name}.gz
    COMMAND gzip -9nc ${source} > ${PREPARED}/${name}.gz
    DEPENDS ${source}
    VERBATIM
  )
  set(COMPRESSED ${COMPRESSED} ${PREPARED}/${name}.gz PARENT_SCOPE)
endfunction()
finwait_compress(${PACKAGING}/finwait_exporter.8 finwait_exporter.8)
finwait_compress(${PACKAGING}/finwait-plan.8 finwait-plan.8)
finwait_compress(${PACKAGING}/deb/changelog changelog)
add_custom_target(finwait_packaging DEPENDS ${COMPRESSED})
add_dependencies(finwait_exporter finwait_packaging)

file(GLOB DASHBOARDS CONFIGURE_DEPENDS dashboards/*.json dashboards/*.yaml dashboards/*.md)
install(TARGETS finwait_exporter RUNTIME DESTINATION bin)
install(PROGRAMS scripts/plan.sh DESTINATION bin RENAME finwait-plan)
install(CODE "# The prefix is known only now.
  set(FINWAIT_PROGRAM_PATH \${CMAKE_INSTALL_PREFIX}/bin/finwait_exporter)
  configure_file(${PACKAGING}/systemd/finwait-exporter.service.in ${PREPARED}/finwait-exporter.service @ONLY)"
)
install(FILES ${PREPARED}/finwait-exporter.service DESTINATION lib/systemd/system)
install(FILES ${PACKAGING}/deb/default DESTINATION /etc/default RENAME finwait-exporter)
install(FILES ${PREPARED}/finwait_exporter.8.gz ${PREPARED}/finwait-plan.8.gz DESTINATION share/man/man8)
install(FILES ${PACKAGING}/completion/finwait_exporter DESTINATION share/bash-completion/completions)
install(FILES ${DASHBOARDS} DESTINATION share/finwait-exporter)
install(DIRECTORY dashboards/alertmanager dashboards/prometheus DESTINATION share/finwait-exporter)
# Sources: whoever confines programs by AppArmor or SELinux loads them (SECURITY.md).
install(DIRECTORY packaging/apparmor packaging/selinux DESTINATION share/finwait-exporter)
install(FILES packaging/systemd/own-namespace.conf packaging/systemd/enter-namespaces.conf packaging/systemd/witness.conf
        DESTINATION share/finwait-exporter/systemd)
install(FILES ${PACKAGING}/deb/copyright ${PREPARED}/changelog.gz DESTINATION share/doc/finwait-exporter)

include(${PACKAGING}/package.cmake)
set(CPACK_GENERATOR DEB)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)  # for /etc
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
include(CPack)
