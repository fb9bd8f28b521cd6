#pragma once

#include <string>
#include <vector>

#include "command_line.hpp"

namespace test {

/// What the program makes of these words.
inline stratumproxyd::command_line parse(std::vector<const char*> words) {
  words.insert(words.begin(), "stratumproxyd");
  return stratumproxyd::parse_command_line(static_cast<int>(words.size()), words.data());
}

/// Why it refuses them; empty when it does not.
inline std::string error_of(const std::vector<const char*>& words) {
  try {
    (void)parse(words);
  } catch (const stratumproxyd::config_error& error) {
    return error.what();
  }
  return {};
}

}  // namespace test
