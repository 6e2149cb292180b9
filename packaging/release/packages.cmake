# CPack's configuration for the packages of a release, which hold the tree of make_tree.sh with its own libraries: one deb
# for every Debian and Ubuntu, one rpm for every distribution with rpm. make_packages.sh sets STAGE, ARCHITECTURE and VERSION.
get_filename_component(SOURCE ${CMAKE_CURRENT_LIST_DIR}/../.. ABSOLUTE)
set(PACKAGING ${SOURCE}/packaging)
include(${PACKAGING}/package.cmake)

set(CPACK_CMAKE_GENERATOR Ninja)
set(CPACK_PACKAGE_VERSION ${VERSION})
set(CPACK_INSTALLED_DIRECTORIES "${STAGE};/")
set(CPACK_PACKAGING_INSTALL_PREFIX /)
set(CPACK_SET_DESTDIR OFF)
set(CPACK_STRIP_FILES OFF)
set(CPACK_PACKAGE_FILE_NAME finwait-exporter)

set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${ARCHITECTURE})
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)  # dpkg of every Debian and Ubuntu in use reads it

set(RPM_ARCHITECTURE_amd64 x86_64)
set(RPM_ARCHITECTURE_arm64 aarch64)
set(CPACK_RPM_PACKAGE_ARCHITECTURE ${RPM_ARCHITECTURE_${ARCHITECTURE}})
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_RELEASE 1)
set(CPACK_RPM_PACKAGE_LICENSE ${LICENCE})
set(CPACK_RPM_PACKAGE_GROUP System/Monitoring)
set(CPACK_RPM_PACKAGE_DESCRIPTION "${CPACK_PACKAGE_DESCRIPTION}")
set(CPACK_RPM_COMPRESSION_TYPE xz)
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${PACKAGING}/rpm/postin.sh)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${PACKAGING}/rpm/preun.sh)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${PACKAGING}/rpm/postun.sh)
set(CPACK_RPM_USER_FILELIST "%config(noreplace) /etc/default/finwait-exporter")
# The libraries are for this program alone: neither offered to other packages nor asked of them.
set(CPACK_RPM_PACKAGE_AUTOREQPROV no)
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
    /etc /etc/default /usr/lib/systemd /usr/lib/systemd/system /usr/share/man /usr/share/man/man8 /usr/share/bash-completion
    /usr/share/bash-completion/completions /usr/share/doc
)
# The same bytes whenever and wherever they are made; and the files as they are, as those of another architecture cannot be
# stripped here.
set(CPACK_RPM_SPEC_MORE_DEFINE "%define __os_install_post %{nil}
%define _build_id_links none
%define _buildhost reproducible
%define use_source_date_epoch_as_buildtime 1
%define clamp_mtime_to_source_date_epoch 1
%define source_date_epoch_from_changelog 0")
