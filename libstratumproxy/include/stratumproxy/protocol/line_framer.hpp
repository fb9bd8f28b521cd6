#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "stratumproxy/result.hpp"

namespace stratumproxy::protocol {

/// Cuts a byte stream into lines. Owns memory only while a line is incomplete. Lines end with LF; a CR before it is
/// dropped; empty lines are skipped but counted (dwarfpool sends one after every object).
///
/// Use: feed() the bytes just read, then next() until it gives an empty span, then keep(). The lines are mutable, because the codec
/// decodes in place, and are valid until the next call of feed() or keep(). The bytes fed must outlive the calls of next().
class line_framer {
 public:
  explicit line_framer(std::size_t limit) noexcept : limit_(limit) {}

  /// Adds bytes behind what is left. Not while next() may still give lines.
  void feed(std::span<char> bytes);
  /// The next complete line without its end; an empty span when there is none. Fails with line_too_long as soon as `limit` bytes
  /// (line end included) hold no line end; the stream is unusable then.
  [[nodiscard]] result<std::span<char>> next();
  /// Moves what was not consumed into memory of our own; the bytes fed may go. Called also with complete lines left, by a
  /// session that must wait.
  void keep();

  /// Forgets what is left; its memory stays.
  void clear() noexcept;

  [[nodiscard]] std::span<const char> unread() const noexcept;  ///< fed or kept, not yet given out
  [[nodiscard]] std::size_t take_empty_lines() noexcept;        ///< empty lines skipped since the last call
  [[nodiscard]] std::size_t memory() const noexcept { return kept_.capacity(); }

 private:
  [[nodiscard]] std::span<char> bytes() noexcept;

  std::size_t limit_;
  std::string kept_;          // lines are cut from here unless it is empty, ...
  std::span<char> fed_;       // ... else from here
  std::size_t position_ = 0;  // given out before this
  std::size_t scanned_ = 0;   // no line end before this, so that a byte is looked at once
  std::size_t empty_lines_ = 0;
};

}  // namespace stratumproxy::protocol
