#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stratumproxyd {

/// Rows under a heading, in columns as wide as they need to be; two blanks between them. Numbers stand right, but in the first one.
class text_table {
 public:
  explicit text_table(std::vector<std::string> heading) : rows_{std::move(heading)} {}
  /// As many cells as the heading has.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::size_t size() const noexcept { return rows_.size() - 1; }
  /// Lines without their ends; no blanks at their ends either.
  [[nodiscard]] std::vector<std::string> lines() const;
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// What others wrote, made fit for a terminal: control characters, and what is not UTF-8, are question marks. They could move the
/// cursor, or make the terminal type.
[[nodiscard]] std::string visible(std::string_view text);

/// Columns of a terminal, one for each character.
[[nodiscard]] std::size_t width_of(std::string_view text) noexcept;
/// The first so many columns of it.
[[nodiscard]] std::string_view first_columns(std::string_view text, std::size_t columns) noexcept;

/// "105.6 TH/s"
[[nodiscard]] std::string hashrate_text(double hashes_per_second);
/// "3 d 4 h", "4 h 5 min", "5 min 6 s", "6 s"
[[nodiscard]] std::string age_text(double seconds);
/// A number without a needless fraction.
[[nodiscard]] std::string number_text(double value);

}  // namespace stratumproxyd
