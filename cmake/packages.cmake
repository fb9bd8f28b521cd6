# Debian packages, by `cpack` in a build tree (scripts/package):
#   stratumproxy          the daemon, the load tool, their pages
#   libstratumproxy-dev   the library, for programs that embed it
set(CPACK_PACKAGE_NAME stratumproxy)
set(CPACK_PACKAGE_VENDOR "The stratumproxy authors")
set(CPACK_PACKAGE_CONTACT "The stratumproxy authors <stratumproxy@users.noreply.github.com>")
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL library)
if(SPX_BUILD_DAEMON)
  list(APPEND CPACK_COMPONENTS_ALL daemon)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
# The configuration goes to /etc of the package, which is no place below its prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(debian ${PROJECT_SOURCE_DIR}/cmake/debian)
set(CPACK_DEBIAN_DAEMON_PACKAGE_NAME stratumproxy)
set(CPACK_DEBIAN_DAEMON_PACKAGE_SECTION net)
set(CPACK_DEBIAN_DAEMON_DESCRIPTION "Miners of any algorithm connect to one port and log in with a short account
name; the proxy connects each to its account's pool, keeps it working through
failures of either side, and publishes exact counters to Prometheus.
.
stratumload, a load generator with a simulated pool and simulated miners, comes
with it.")
set(CPACK_DEBIAN_DAEMON_PACKAGE_DEPENDS "publicsuffix, systemd | systemd-standalone-sysusers")
set(CPACK_DEBIAN_DAEMON_PACKAGE_RECOMMENDS "ca-certificates, curl")
set(CPACK_DEBIAN_DAEMON_PACKAGE_SUGGESTS "postgresql, prometheus")
set(CPACK_DEBIAN_DAEMON_PACKAGE_CONTROL_EXTRA
  ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libstratumproxy-dev)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "libargon2-dev, libasio-dev, libcrypto++-dev, libfmt-dev, libpsl-dev, libssl-dev")
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION "The proxy as a C++20 library: codec, sessions, vardiff, failover
and the whole proxy, to be embedded in other mining tools. The archive, its
headers, and what CMake and pkg-config need to find it.")

set(CPACK_STRATUMPROXY_SOURCE_DIR ${PROJECT_SOURCE_DIR})
set(CPACK_PRE_BUILD_SCRIPTS ${debian}/documents.cmake)
include(CPack)
