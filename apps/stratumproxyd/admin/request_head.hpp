#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace stratumproxyd {

/// The request line and the headers, checked more strictly than the HTTP library does: what two readers could
/// understand in two ways is refused.
struct request_head {
  std::string method;
  bool has_body = false;
  bool keep_alive = true;
  std::string text;    ///< the head as it is handed to the library
};

struct head_error {
  int status = 400;
  std::string text;
};

inline constexpr std::size_t max_head_bytes = 16'384;
inline constexpr std::size_t max_body_bytes = 65'536;

/// Bytes up to and with the blank line that ends the head; 0 while it is not there.
[[nodiscard]] std::size_t head_length(std::string_view bytes) noexcept;

/// "the body is larger than … bytes"
[[nodiscard]] std::string too_large_text(std::size_t body_bytes);

/// `head` is what head_length() measured.
[[nodiscard]] std::variant<request_head, head_error> parse_request_head(std::string_view head,
                                                                        std::size_t body_bytes = max_body_bytes);

}  // namespace stratumproxyd
