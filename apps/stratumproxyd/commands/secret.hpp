#pragma once

#include <optional>
#include <string>

namespace stratumproxyd {

/// Where a secret may come from, tried in this order.
struct secret_sources {
  std::optional<std::string> given;  ///< by an option, so that others see it in the list of processes
  bool from_stdin = false;           ///< its first line
  const char* variable = nullptr;    ///< of the environment
  const char* prompt = nullptr;      ///< asked for on a terminal, without an echo
};

/// Throws std::runtime_error when there is none, or the person at the terminal gave up.
[[nodiscard]] std::string read_secret(const secret_sources& sources);

/// All of a regular file, or of standard input where the name is "-"; not more than `limit` bytes. Throws std::runtime_error.
[[nodiscard]] std::string read_text(const std::string& file, std::size_t limit, const char* what);

}  // namespace stratumproxyd
