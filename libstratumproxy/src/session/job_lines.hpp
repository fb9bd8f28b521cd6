#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stratumproxy::session {

/// The lines of one job on its way to the workers of a shared link: each is written once, however many workers get it.
class job_lines {
 public:
  /// A new round: lines of before are not asked for again.
  void clear() noexcept { used_ = 0; }

  /// The line of this form of the job; `write(std::string&)` makes it the first time. Good until the next call.
  template <class Write>
  [[nodiscard]] std::string_view line(std::uint64_t form, bool clean, Write write) {
    for (std::size_t i = 0; i < used_; ++i) {
      if (lines_[i].form == form && lines_[i].clean == clean) return lines_[i].text;
    }
    if (used_ == most) used_ = 0;
    if (used_ == lines_.size()) lines_.emplace_back();
    auto& line = lines_[used_++];
    line.form = form;
    line.clean = clean;
    line.text.clear();
    write(line.text);
    return line.text;
  }

 private:
  static constexpr std::size_t most = 16;  // a link with 256 workers has 8 pads

  struct entry {
    std::uint64_t form = 0;
    bool clean = false;
    std::string text;
  };
  std::vector<entry> lines_;
  std::size_t used_ = 0;
};

}  // namespace stratumproxy::session
