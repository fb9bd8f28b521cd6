#include "admin/json_answer.hpp"

#include <cmath>

namespace stratumproxyd {

void json_answer::put(std::string_view key, double value) {
  put_key(key);
  // JSON has no others.
  if (!std::isfinite(value)) out_.Null();
  // Whole numbers without a fraction, so that shell scripts can compare them.
  else if (value == std::floor(value) && std::abs(value) < 9e15) out_.Int64(static_cast<std::int64_t>(value));
  else out_.Double(value);
}

void json_answer::put(std::string_view key, const std::vector<std::string>& texts) {
  begin_array(key);
  for (const auto& text : texts) put_text(text);
  end_array();
}

http_response json_answer::done() {
  put("error", std::string_view());
  end_object();
  return {.status = 200, .body = std::string(buffer_.GetString(), buffer_.GetSize()) + '\n', .headers = {}};
}

}  // namespace stratumproxyd
