# What every package of this project says of itself, whether made of a build (install.cmake) or of a release
# (release/packages.cmake). PACKAGING is this folder;
set(CPACK_PACKAGE_NAME finwait-exporter)
set(CPACK_PACKAGE_VENDOR "the finwait_exporter authors")
# Who maintains it and where it lives is known to whoever publishes packages: FINWAIT_MAINTAINER ("NAME <ADDRESS>") and
# FINWAIT_HOMEPAGE, or what GitHub's runners say. Without them there is no address that somebody else reads, and no homepage.
set(CPACK_PACKAGE_CONTACT "the finwait_exporter authors <finwait-exporter@authors.invalid>")
if(NOT "$ENV{FINWAIT_MAINTAINER}" STREQUAL "")
  set(CPACK_PACKAGE_CONTACT "$ENV{FINWAIT_MAINTAINER}")
endif()
if(NOT "$ENV{FINWAIT_HOMEPAGE}" STREQUAL "")
  set(CPACK_PACKAGE_HOMEPAGE_URL "$ENV{FINWAIT_HOMEPAGE}")
elseif(NOT "$ENV{GITHUB_REPOSITORY}" STREQUAL "")
  set(CPACK_PACKAGE_HOMEPAGE_URL "$ENV{GITHUB_SERVER_URL}/$ENV{GITHUB_REPOSITORY}")
endif()
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Prometheus exporter of TCP connections that cannot close")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE
)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "init-system-helpers (>= 1.54~)")
set(CPACK_PACKAGE_DESCRIPTION
    "When connection tracking has forgotten a TCP connection and a firewall rule
drops INVALID packets, its FIN is swallowed: the socket sits in FIN_WAIT_1 and
the peer stays connected. This exporter shows which sockets are stuck, which
live ones would be if closed now, and which rule or sysctl is the cause."
)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "${CPACK_PACKAGE_DESCRIPTION}")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PACKAGING}/deb/postinst ${PACKAGING}/deb/prerm ${PACKAGING}/deb/postrm
                                       ${PACKAGING}/deb/conffiles
)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
