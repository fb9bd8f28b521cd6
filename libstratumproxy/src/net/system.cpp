#include "net/system.hpp"

#include <pthread.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <thread>

#include <fmt/format.h>

namespace stratumproxy::net {

void fill_random(std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const auto got = ::getrandom(bytes.data(), bytes.size(), 0);
    if (got > 0)
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    else if (errno != EINTR)
      std::abort();  // session ids that somebody can guess are worse than no proxy
  }
}

std::string random_word() {
  std::array<std::uint8_t, 8> bytes{};
  fill_random(bytes);
  std::string word;
  for (const std::uint8_t byte : bytes) word += fmt::format("{:02x}", byte);
  return word;
}

void name_this_thread(const std::string& name) { ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str()); }

signals_blocked::signals_blocked() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before_);
}

signals_blocked::~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

std::size_t connections_for_descriptor_limit() {
  // For databases, HTTP and the log, and what each shard has beside its connections.
  const rlim_t reserved = 64 + 8 * std::max(1U, std::thread::hardware_concurrency());
  constexpr std::size_t at_least = 16;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return at_least;
  if (limit.rlim_cur == RLIM_INFINITY) return std::numeric_limits<std::size_t>::max();
  if (limit.rlim_cur <= reserved) return at_least;
  return std::max<std::size_t>(at_least, (limit.rlim_cur - reserved) / 2);
}

}  // namespace stratumproxy::net
