# Run by CPack when the packages' files are in place: adds what Debian wants in /usr/share/doc, from LICENSE and CHANGELOG.md.
set(source ${CPACK_STRATUMPROXY_SOURCE_DIR})

function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(READ ${source}/LICENSE licence)
string(REGEX REPLACE "^MIT License\n\nCopyright \\(c\\) ([^\n]+)\n\n" "" licence "${licence}")
set(holder "${CMAKE_MATCH_1}")
string(STRIP "${licence}" licence)
string(REPLACE "\n\n" "\n.\n" licence "${licence}")
string(REPLACE "\n" "\n " licence "${licence}")
set(copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: stratumproxy

Files: *
Copyright: ${holder}
License: Expat

Files: chart.js
Copyright: 2014-2022, Chart.js Contributors
License: Expat
Comment: a part of the dashboard in stratumproxyd

License: Expat
 ${licence}
")

file(READ ${source}/CHANGELOG.md changes)
string(REGEX MATCH "\n## ([0-9.]+), ([0-9-]+)\n" newest "${changes}")
if(NOT CMAKE_MATCH_1 STREQUAL CPACK_PACKAGE_VERSION)
  message(FATAL_ERROR "CHANGELOG.md begins with ${CMAKE_MATCH_1}, but this is ${CPACK_PACKAGE_VERSION}")
endif()
run(date --utc --rfc-email --date=${CMAKE_MATCH_2})
set(changelog "stratumproxy (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) bookworm; urgency=medium

  * Release ${CPACK_PACKAGE_VERSION}; what is new is in changelog.gz.

 -- ${CPACK_PACKAGE_CONTACT}  ${output}
")

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component})
  set(documents ${root}/usr/share/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  file(WRITE ${documents}/copyright "${copyright}")
  file(WRITE ${documents}/changelog.Debian "${changelog}")
  file(COPY_FILE ${source}/CHANGELOG.md ${documents}/changelog)
  file(GLOB_RECURSE compressed ${root}/usr/share/man/*)
  list(APPEND compressed ${documents}/changelog.Debian ${documents}/changelog)
  run(gzip -9nf ${compressed})
endforeach()
