#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "admin/request_head.hpp"

using namespace stratumproxyd;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

request_head accepted(std::string_view head) {
  auto read = parse_request_head(head);
  require(std::holds_alternative<request_head>(read));
  return std::get<request_head>(std::move(read));
}

// The library is handed `text` instead of what came: it must be one head, which means the same and is in its only form.
void check(const request_head& taken) {
  require(head_length(taken.text) == taken.text.size());
  for (const char c : taken.text) require(c < 0 || c >= 0x20 || c == '\t' || c == '\r' || c == '\n');
  require(taken.text.starts_with(taken.method + " /"));
  if (taken.text.size() > max_head_bytes) return;  // each header may have grown by a blank
  const auto again = accepted(taken.text);
  require(again.text == taken.text && again.method == taken.method && again.has_body == taken.has_body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto length = head_length(bytes);
  require(length <= size);
  if (length == 0) return 0;
  // More bytes change nothing, and fewer are not enough: the server asks again after each piece.
  require(head_length(bytes.substr(0, length)) == length && head_length(bytes.substr(0, length - 1)) == 0);
  const auto read = parse_request_head(bytes.substr(0, length));
  if (const auto* taken = std::get_if<request_head>(&read)) {
    check(*taken);
  } else {
    const auto& refused = std::get<head_error>(read);
    require(refused.status >= 400 && refused.status < 600 && !refused.text.empty());
  }
  return 0;
}
