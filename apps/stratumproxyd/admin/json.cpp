#include "admin/json.hpp"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/encodedstream.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <cmath>

#include "store/text.hpp"

namespace stratumproxyd {
namespace {

// Iterative, because the recursive parser overflows the stack; numbers as text, because version 1.1 writes out of
// bounds for some (CVE-2024-38517).
constexpr unsigned flags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag |
                           rapidjson::kParseNumbersAsStringsFlag;

class flat_handler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, flat_handler> {
 public:
  json_object object;
  std::string error;

  bool Null() { return take(json_null{}); }
  bool Bool(bool value) { return take(value); }
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) { return take(json_number{{text, length}}); }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    if (!is_text({text, length})) return false;
    if (!array_) return take(std::string(text, length));
    array_->emplace_back(text, length);
    return true;
  }
  bool StartObject() {
    if (depth_++ == 0) return true;
    return refuse("the members of the object must not be objects");
  }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    if (!is_text({text, length})) return false;
    key_.assign(text, length);
    return object.contains(key_) ? refuse("a member appears twice") : true;
  }
  bool EndObject(rapidjson::SizeType) { return true; }
  bool StartArray() {
    if (depth_ == 0) return refuse("the body must be a JSON object");
    if (array_) return refuse("arrays must hold strings");
    array_.emplace();
    return true;
  }
  bool EndArray(rapidjson::SizeType) {
    auto done = std::move(*array_);
    array_.reset();
    return take(std::move(done));
  }

 private:
  // The parser looks at bytes only, and makes three of "\udc00" that are no character.
  bool is_text(std::string_view text) {
    return is_storable(text, text.size()) || refuse("a string contains NUL or half of a surrogate pair");
  }
  bool refuse(std::string_view why) {
    error = why;
    return false;
  }
  bool take(json_value value) {
    if (depth_ == 0) return refuse("the body must be a JSON object");
    if (array_) return refuse("arrays must hold strings");
    object.insert_or_assign(key_, std::move(value));
    return true;
  }

  unsigned depth_ = 0;
  std::string key_;
  std::optional<std::vector<std::string>> array_;
};

}  // namespace

std::variant<json_object, std::string> parse_json_object(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::string("the body contains a NUL byte");
  rapidjson::MemoryStream bytes(text.data(), text.size());
  rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> stream(bytes);
  flat_handler handler;
  rapidjson::Reader reader;
  const auto result = reader.Parse<flags>(stream, handler);
  if (!handler.error.empty()) return handler.error;
  if (result.IsError())
    return "the body is not JSON: " + std::string(rapidjson::GetParseError_En(result.Code())) + " (byte " +
           std::to_string(result.Offset()) + ")";
  return std::move(handler.object);
}

std::optional<double> to_double(const json_number& number) {
  double value = 0;
  const auto* end = number.text.data() + number.text.size();
  const auto [stopped, error] = std::from_chars(number.text.data(), end, value);
  if (error != std::errc{} || stopped != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace stratumproxyd
