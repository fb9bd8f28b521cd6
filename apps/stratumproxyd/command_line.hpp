#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "config.hpp"

namespace stratumproxyd {

/// What the command line asks for.
struct command_line {
  enum class action : std::uint8_t {
    run,      ///< the daemon
    print,    ///< `text` on standard output
    command,  ///< something else than running the daemon
  };
  action what = action::run;
  std::string text;
  config settings;
  /// Its exit code. Throws std::exception with one line.
  std::function<int(const config&)> command;
};

/// Reads the file that --config names, the environment, and the flags; what is read later wins. Throws config_error.
[[nodiscard]] command_line parse_command_line(int argc, const char* const* argv);

}  // namespace stratumproxyd
