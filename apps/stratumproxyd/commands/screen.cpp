#include "commands/screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "commands/text_table.hpp"

namespace stratumproxyd {
namespace {

// xterm's control sequences, which every terminal of today knows or ignores.
constexpr std::string_view other_buffer = "\x1b[?1049h\x1b[?25l", first_buffer = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view hold = "\x1b[?2026h", show = "\x1b[?2026l";
constexpr std::string_view home = "\x1b[H", erase_line = "\x1b[K", erase_below = "\x1b[J";

bool put(std::string_view text) {
  while (!text.empty()) {
    const auto count = ::write(STDOUT_FILENO, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

screen::screen() { (void)put(other_buffer); }
screen::~screen() { (void)put(first_buffer); }

screen::size screen::dimensions() {
  winsize known{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &known) != 0 || known.ws_col == 0 || known.ws_row == 0) return {};
  return {known.ws_col, known.ws_row};
}

bool screen::draw(const std::vector<std::string>& lines) const {
  const auto [columns, rows] = dimensions();
  std::string frame(hold);
  frame += home;
  for (std::size_t i = 0; i < std::min(lines.size(), rows); ++i) {
    if (i > 0) frame += "\r\n";
    const auto line = first_columns(lines[i], columns);
    frame += line;
    // At the end of a full line the cursor still stands on its last character.
    if (width_of(line) < columns) frame += erase_line;
  }
  frame.append(erase_below).append(show);
  return put(frame);
}

}  // namespace stratumproxyd
