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
finwait_compress(${PACKAGING}/deb/changelog changelog)
add_custom_target(finwait_packaging DEPENDS ${COMPRESSED})
add_dependencies(finwait_exporter finwait_packaging)

file(GLOB DASHBOARDS CONFIGURE_DEPENDS dashboards/*.json dashboards/*.yaml dashboards/*.md)
install(TARGETS finwait_exporter RUNTIME DESTINATION bin)
install(CODE "# The prefix is known only now.
  set(FINWAIT_PROGRAM_PATH \${CMAKE_INSTALL_PREFIX}/bin/finwait_exporter)
  configure_file(${PACKAGING}/systemd/finwait-exporter.service.in ${PREPARED}/finwait-exporter.service @ONLY)"
)
install(FILES ${PREPARED}/finwait-exporter.service DESTINATION lib/systemd/system)
install(FILES ${PACKAGING}/deb/default DESTINATION /etc/default RENAME finwait-exporter)
install(FILES ${PREPARED}/finwait_exporter.8.gz DESTINATION share/man/man8)
install(FILES ${PACKAGING}/completion/finwait_exporter DESTINATION share/bash-completion/completions)
install(FILES ${DASHBOARDS} DESTINATION share/finwait-exporter)
install(DIRECTORY dashboards/alertmanager DESTINATION share/finwait-exporter)
install(FILES ${PACKAGING}/deb/copyright ${PREPARED}/changelog.gz DESTINATION share/doc/finwait-exporter)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME finwait-exporter)
set(CPACK_PACKAGE_CONTACT "the finwait_exporter authors <noreply@github.com>")
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)  # for /etc
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE
)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "init-system-helpers (>= 1.54~)")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Prometheus exporter of TCP connections that cannot close")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "When connection tracking has forgotten a TCP connection and a firewall rule
drops INVALID packets, its FIN is swallowed: the socket sits in FIN_WAIT_1 and
the peer stays connected. This exporter shows which sockets are stuck, which
live ones would be if closed now, and which rule or sysctl is the cause."
)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PACKAGING}/deb/postinst ${PACKAGING}/deb/prerm ${PACKAGING}/deb/postrm
                                       ${PACKAGING}/deb/conffiles
)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
