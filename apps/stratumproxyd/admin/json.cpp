#include "admin/json.hpp"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/encodedstream.h>
#include <rapidjson/reader.h>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "store/text.hpp"

namespace stratumproxyd {
namespace {

// Iterative, because the recursive parser overflows the stack; numbers as text, because version 1.1 writes out of
// bounds for some (CVE-2024-38517).
constexpr unsigned flags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag |
                           rapidjson::kParseNumbersAsStringsFlag;

class request_handler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, request_handler> {
 public:
  std::string error;

  json_object& object() { return levels_[0].object; }

  bool Null() { return take(json_null{}); }
  bool Bool(bool value) { return take(value); }
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) { return take(json_number{{text, length}}); }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    if (!is_text({text, length})) return false;
    if (depth_ == 0 || !here().in_array) return take(std::string(text, length));
    if (!here().objects.empty()) return refuse(mixed);
    here().texts.emplace_back(text, length);
    return true;
  }
  bool StartObject() {
    if (depth_ > 0 && !here().in_array) return refuse("the members of an object must not be objects");
    if (depth_ == levels_.size() || (depth_ > 0 && !here().texts.empty())) return refuse(mixed);
    levels_[depth_++] = {};
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    if (!is_text({text, length})) return false;
    here().key.assign(text, length);
    return here().object.contains(here().key) ? refuse("a member appears twice") : true;
  }
  bool EndObject(rapidjson::SizeType) {
    if (--depth_ > 0) here().objects.push_back(std::move(levels_[depth_].object));
    return true;
  }
  bool StartArray() {
    if (depth_ == 0) return refuse("the body must be a JSON object");
    if (here().in_array) return refuse(mixed);
    here().in_array = true;
    return true;
  }
  bool EndArray(rapidjson::SizeType) {
    auto& level = here();
    level.in_array = false;
    if (level.objects.empty()) return take(std::exchange(level.texts, {}));
    return take(std::exchange(level.objects, {}));
  }

 private:
  struct level {
    json_object object;
    std::string key;
    bool in_array = false;
    std::vector<std::string> texts;
    std::vector<json_object> objects;
  };
  static constexpr std::string_view mixed = "an array must hold strings, or objects without objects in them";

  level& here() { return levels_[depth_ - 1]; }
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
    if (here().in_array) return refuse(mixed);
    here().object.insert_or_assign(here().key, std::move(value));
    return true;
  }

  std::array<level, 2> levels_;
  std::size_t depth_ = 0;  // objects that are open
};

}  // namespace

std::variant<json_object, std::string> parse_json_object(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::string("the body contains a NUL byte");
  rapidjson::MemoryStream bytes(text.data(), text.size());
  rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> stream(bytes);
  request_handler handler;
  rapidjson::Reader reader;
  const auto result = reader.Parse<flags>(stream, handler);
  if (!handler.error.empty()) return handler.error;
  if (result.IsError())
    return "the body is not JSON: " + std::string(rapidjson::GetParseError_En(result.Code())) + " (byte " +
           std::to_string(result.Offset()) + ")";
  return std::move(handler.object());
}

std::optional<double> to_double(const json_number& number) {
  double value = 0;
  const auto* end = number.text.data() + number.text.size();
  const auto [stopped, error] = std::from_chars(number.text.data(), end, value);
  if (error != std::errc{} || stopped != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace stratumproxyd
