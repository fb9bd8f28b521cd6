#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "stratumproxy/protocol/line_framer.hpp"

using namespace stratumproxy;
using protocol::line_framer;

namespace {

constexpr std::size_t limit = 48;

struct outcome {
  std::vector<std::string> lines;
  std::size_t empty_lines = 0;
  bool too_long = false;

  bool operator==(const outcome&) const = default;
};

// Says the same as the framer, the plain way.
outcome expected(std::string_view text) {
  outcome out;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    if (end >= limit) {
      out.too_long = true;
      return out;
    }
    if (end == text.size()) return out;
    auto line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) {
      ++out.empty_lines;
    } else {
      out.lines.emplace_back(line);
    }
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace

// The first half of the input says where the second is cut, and where a session waits with lines left.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* cuts = data;
  const auto cut_count = size / 2;
  const std::string_view text(reinterpret_cast<const char*>(data) + cut_count, size - cut_count);

  line_framer framer(limit);
  outcome seen;
  std::size_t round = 0;
  for (std::size_t at = 0; at < text.size() && !seen.too_long; ++round) {
    const unsigned cut = cut_count ? cuts[round % cut_count] : 255;
    std::string piece(text.substr(at, 1 + cut / 2));
    at += piece.size();
    const bool waits = cut % 2 == 1 && at < text.size();
    framer.feed(piece);
    for (std::size_t taken = 0; !(waits && taken == 1); ++taken) {
      const auto line = framer.next();
      if (!line) {
        seen.too_long = true;
        break;
      }
      if (line->empty()) break;
      seen.lines.emplace_back(line->begin(), line->end());
      std::fill(line->begin(), line->end(), '\n');  // decoding in place may leave anything
    }
    framer.keep();
  }
  seen.empty_lines = framer.take_empty_lines();
  if (!(seen == expected(text))) std::abort();
  return 0;
}
