#include "account_name.hpp"

#include <array>
#include <cerrno>
#include <system_error>

#include <sys/random.h>

namespace stratumproxyd {

std::string random_account_name() {
  std::array<unsigned char, 8> bytes;
  ssize_t got = 0;
  do got = ::getrandom(bytes.data(), bytes.size(), 0);
  while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(bytes.size()))
    throw std::system_error(errno, std::generic_category(), "the system's random source");
  constexpr const char* digits = "0123456789abcdef";
  std::string name;
  for (const auto byte : bytes) {
    name += digits[byte >> 4];
    name += digits[byte & 15];
  }
  return name;
}

}  // namespace stratumproxyd
