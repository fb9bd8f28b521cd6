#pragma once

#include <stdexcept>

namespace stratumproxyd {

/// Exit codes of commands; docs/command-line.md has them.
enum command_outcome : int {
  command_done = 0,
  command_was_refused = 1,  ///< nothing was changed
  command_unusable = 2,     ///< options, configuration or database
};

/// What was asked for is against a rule, or not there: one line, and command_was_refused. Whatever else a command throws is
/// command_unusable.
struct command_refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace stratumproxyd
