#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "admin/json.hpp"
#include "endpoint.hpp"
#include "store/text.hpp"

using namespace stratumproxyd;

namespace {

using writer = rapidjson::Writer<rapidjson::StringBuffer>;

void require(bool holds) {
  if (!holds) std::abort();
}

void put(writer& out, std::string_view text) { out.String(text.data(), static_cast<rapidjson::SizeType>(text.size())); }

// Texts of a request go into databases and answers, and some of them are addresses.
void check_text(std::string_view text) {
  require(is_storable(text, text.size()));
  if (const auto address = parse_endpoint(text)) {
    const auto again = parse_endpoint(address->text());
    require(again && again->host == address->host && again->port == address->port);
  }
}

void write(writer& out, const json_object& object);

void write(writer& out, const json_value& value) {
  if (std::holds_alternative<json_null>(value)) out.Null();
  if (const auto* flag = std::get_if<bool>(&value)) out.Bool(*flag);
  if (const auto* number = std::get_if<json_number>(&value)) {
    if (const auto read = to_double(*number)) require(std::isfinite(*read));
    out.RawValue(number->text.data(), number->text.size(), rapidjson::kNumberType);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    check_text(*text);
    put(out, *text);
  }
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    out.StartArray();
    for (const auto& text : *texts) {
      check_text(text);
      put(out, text);
    }
    out.EndArray();
  }
  if (const auto* objects = std::get_if<std::vector<json_object>>(&value)) {
    require(!objects->empty());
    out.StartArray();
    for (const auto& object : *objects) write(out, object);
    out.EndArray();
  }
}

void write(writer& out, const json_object& object) {
  out.StartObject();
  for (const auto& [name, value] : object) {
    out.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
    write(out, value);
  }
  out.EndObject();
}

std::string written(const json_object& object) {
  rapidjson::StringBuffer buffer;
  writer out(buffer);
  write(out, object);
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = parse_json_object({reinterpret_cast<const char*>(data), size});
  if (const auto* why = std::get_if<std::string>(&read)) {
    require(!why->empty());
    for (const char c : *why) require(c >= 0x20 && c < 0x7f);
    return 0;
  }
  // What was understood, written down, is understood in the same way.
  const auto text = written(std::get<json_object>(read));
  const auto again = parse_json_object(text);
  require(std::holds_alternative<json_object>(again) && written(std::get<json_object>(again)) == text);
  return 0;
}
