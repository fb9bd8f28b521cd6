#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace stratumproxy::net {

/// Fills with bytes of the system's random source; never fails on a kernel that has booted.
void fill_random(std::span<std::uint8_t> bytes);
/// 16 random hex digits.
[[nodiscard]] std::string random_word();

/// As `top -H` shows it; cut to 15 characters.
void name_this_thread(const std::string& name);

/// Threads started while one of these lives get no signals: they are the embedder's affair.
class signals_blocked {
 public:
  signals_blocked();
  ~signals_blocked();
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  sigset_t before_;
};

/// How many miners the limit of file descriptors (RLIMIT_NOFILE) has room for: with a link of its own a worker takes
/// two, and 64 are left for everything else. At least 16, so that a tiny limit still serves somebody.
[[nodiscard]] std::size_t connections_for_descriptor_limit();

}  // namespace stratumproxy::net
