#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/json_tape.hpp"

namespace stratumproxy::session {

/// Takes the secrets out of a line; everything else keeps its spelling.
class line_mask {
 public:
  /// The line as a line_tap may see it, until the next call. `secrets`: masked wherever they stand.
  [[nodiscard]] std::string_view masked(std::string_view line, std::span<const std::string> secrets);

 private:
  enum class rule : std::uint8_t { words, secret, session };
  struct edit {
    std::size_t at = 0;
    std::string_view was;  // in the original line
    std::string text;
  };

  void walk(protocol::json_value value, rule how);
  void walk_login(protocol::json_value params);
  void walk_subscribed(protocol::json_value result);
  void note(protocol::json_value value, rule how);
  void replace(protocol::json_value value, std::string text);

  protocol::json_tape tape_;
  std::string_view line_;
  std::span<const std::string> secrets_;
  std::string copy_, out_;
  std::vector<edit> edits_;
};

}  // namespace stratumproxy::session
