# The library for other projects: the archive, its headers, and what find_package and pkg-config read.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(packages ${CMAKE_INSTALL_LIBDIR}/cmake/stratumproxy)
install(TARGETS stratumproxy EXPORT stratumproxy
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/include/stratumproxy
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
install(EXPORT stratumproxy NAMESPACE stratumproxy:: FILE stratumproxy-targets.cmake
  DESTINATION ${packages} COMPONENT library)

write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/stratumproxy-config-version.cmake
  COMPATIBILITY SameMinorVersion)
# From the directory of stratumproxy.pc up to the prefix, so that the installed tree can be moved.
file(RELATIVE_PATH up_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${PROJECT_SOURCE_DIR}/cmake/stratumproxy.pc.in ${CMAKE_CURRENT_BINARY_DIR}/stratumproxy.pc @ONLY)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/stratumproxy-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/stratumproxy-config-version.cmake
  DESTINATION ${packages} COMPONENT library)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/stratumproxy.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
