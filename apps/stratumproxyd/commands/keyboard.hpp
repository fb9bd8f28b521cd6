#pragma once

#include <signal.h>
#include <termios.h>

#include <chrono>
#include <cstdint>
#include <optional>

namespace stratumproxyd {

/// The keys of a terminal one by one, without an echo. While it lives the signals that end a program (and SIGWINCH) arrive here and
/// nowhere else, so that the terminal is always as it was before, in the end. Ctrl-C is a key. Where standard input is no
/// terminal, there are no keys. One at a time, in a program of one thread.
class keyboard {
 public:
  enum class happening : std::uint8_t {
    key,
    closed,   ///< the terminal's end
    resized,  ///< the terminal has another size
    ended,    ///< a signal says that this program shall end
    late,     ///< none of these in time
  };

  /// Without keys the terminal is left as it is, and Ctrl-C is the signal. Throws std::system_error.
  explicit keyboard(bool with_keys = true);
  ~keyboard();
  keyboard(const keyboard&) = delete;
  keyboard& operator=(const keyboard&) = delete;

  /// Waits so long at most; without a limit, if there is none.
  [[nodiscard]] happening wait(std::optional<std::chrono::milliseconds> limit);
  /// The key of the last wait().
  [[nodiscard]] char key() const noexcept { return key_; }
  [[nodiscard]] bool has_keys() const noexcept { return is_terminal_; }

  static constexpr char ctrl_c = 3;
  static constexpr char ctrl_d = 4;

 private:
  sigset_t before_{};
  termios settings_{};
  bool is_terminal_ = false;
  int signals_ = -1;
  char key_ = 0;
};

}  // namespace stratumproxyd
