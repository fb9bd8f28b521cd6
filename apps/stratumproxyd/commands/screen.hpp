#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace stratumproxyd {

/// The terminal of standard output, drawn over and over. Each frame is one write and erases only what it does not fill, so that
/// nothing flickers; in the end there is again what was there before.
class screen {
 public:
  screen();
  ~screen();
  screen(const screen&) = delete;
  screen& operator=(const screen&) = delete;

  struct size {
    std::size_t columns = 80, rows = 24;
  };
  [[nodiscard]] static size dimensions();
  /// Lines that are too long or too many are cut. False when the terminal is gone.
  [[nodiscard]] bool draw(const std::vector<std::string>& lines) const;
};

}  // namespace stratumproxyd
