# The daemon for operators: program, migrations, systemd unit, user, configuration and pages. The load tool joins it.
include(GNUInstallDirs)

install(TARGETS stratumproxyd RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT daemon)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/migrations DESTINATION ${CMAKE_INSTALL_DATADIR}/stratumproxy COMPONENT daemon)

# What shells complete is told by the program itself.
set(completions)
foreach(shell bash zsh fish)
  set(script ${CMAKE_CURRENT_BINARY_DIR}/completion.${shell})
  add_custom_command(OUTPUT ${script} COMMAND stratumproxyd completion ${shell} > ${script} DEPENDS stratumproxyd VERBATIM)
  list(APPEND completions ${script})
endforeach()
add_custom_target(completions ALL DEPENDS ${completions})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.bash RENAME stratumproxyd
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT daemon)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.zsh RENAME _stratumproxyd
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT daemon)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.fish RENAME stratumproxyd.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT daemon)

# Units and users are in lib, whatever the libraries' directory is.
set(system ${PROJECT_SOURCE_DIR}/apps/stratumproxyd/system)
install(FILES ${system}/sysusers.conf DESTINATION lib/sysusers.d RENAME stratumproxy.conf COMPONENT daemon)
# Only now it is known where to: cmake --install --prefix. A configuration that is there stays.
install(CODE "
  set(bindir \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
  set(docdir \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}\")
  set(sysconfdir \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_SYSCONFDIR}\")
  if(CMAKE_INSTALL_PREFIX STREQUAL /usr)
    set(sysconfdir /etc)
  endif()
  configure_file(\"${system}/stratumproxyd.service.in\" \"${CMAKE_CURRENT_BINARY_DIR}/stratumproxyd.service\" @ONLY)
  # The same as a template: each instance takes the place of the service that runs.
  set(instance \" (%i)\")
  set(takeover \" --takeover\")
  configure_file(\"${system}/stratumproxyd.service.in\" \"${CMAKE_CURRENT_BINARY_DIR}/stratumproxyd@.service\" @ONLY)
  if(NOT EXISTS \"\$ENV{DESTDIR}\${sysconfdir}/stratumproxy/stratumproxy.toml\")
    file(INSTALL \"${system}/stratumproxy.toml\" DESTINATION \"\${sysconfdir}/stratumproxy\")
  endif()
" COMPONENT daemon)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/stratumproxyd.service ${CMAKE_CURRENT_BINARY_DIR}/stratumproxyd@.service DESTINATION lib/systemd/system COMPONENT daemon)

set(pages ${PROJECT_SOURCE_DIR}/docs)
install(FILES ${pages}/man/stratumproxyd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT daemon)
install(FILES
  ${pages}/accounts.md ${pages}/api.md ${pages}/architecture.md ${pages}/benchmarks.md ${pages}/command-line.md
  ${pages}/configuration.md ${pages}/dashboard.md ${pages}/embedding.md ${pages}/life-of-a-share.md ${pages}/metrics.md ${pages}/operations.md
  ${pages}/openapi.yaml ${pages}/packages.md ${pages}/scaling.md ${pages}/security.md ${pages}/stratumload.md
  ${pages}/stratumproxy.example.toml
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT daemon)
install(DIRECTORY ${pages}/grafana ${pages}/images ${pages}/prometheus ${pages}/scaling
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT daemon)
