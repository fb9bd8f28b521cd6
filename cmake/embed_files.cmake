# Writes OUTPUT, a C++ source that holds the FILES (name=path, separated by |) for admin/embedded_files.hpp, as what FUNCTION there
# returns:
#   cmake -DOUTPUT=... -DFUNCTION=... -DFILES=... -P embed_files.cmake
string(REPLACE "|" ";" files "${FILES}")
set(arrays "")
set(rows "")
set(number 0)
foreach(each IN LISTS files)
  string(REGEX MATCH "^([^=]+)=(.*)$" each "${each}")
  set(name "${CMAKE_MATCH_1}")
  set(path "${CMAKE_MATCH_2}")
  file(READ "${path}" bytes HEX)
  file(SHA256 "${path}" hash)
  string(SUBSTRING "${hash}" 0 16 hash)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "constexpr unsigned char file_${number}[] = {${bytes}};\n")
  string(APPEND rows "      embedded_file{\"${name}\", \"\\\"${hash}\\\"\", text_of(file_${number})},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUTPUT}" "#include \"admin/embedded_files.hpp\"

#include <array>
#include <cstddef>

namespace stratumproxyd {
namespace {

${arrays}
template <std::size_t Size>
std::string_view text_of(const unsigned char (&bytes)[Size]) {
  return {reinterpret_cast<const char*>(bytes), Size};
}

}  // namespace

std::span<const embedded_file> ${FUNCTION}() {
  static const std::array files{
${rows}  };
  return files;
}

}  // namespace stratumproxyd
")
