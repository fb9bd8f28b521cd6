#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stratumproxyd {

/// The JSON object of a request, as a client of the API would send it. What is not given is left out.
class request_body {
 public:
  request_body() : out_(buffer_) { out_.StartObject(); }

  void put(std::string_view name, const std::string& text) {
    key(name);
    out_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  }
  void put(std::string_view name, const std::optional<std::string>& text) {
    if (text) put(name, *text);
  }
  void put(std::string_view name, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    key(name);
    out_.StartArray();
    for (const auto& text : texts) out_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    out_.EndArray();
  }
  void put_number(std::string_view name, std::optional<double> value) {
    if (!value) return;
    key(name);
    out_.Double(*value);
  }
  void put_set(std::string_view name, bool is_set) {
    if (!is_set) return;
    key(name);
    out_.Bool(true);
  }

  /// Once, in the end.
  [[nodiscard]] std::string text() {
    out_.EndObject();
    return {buffer_.GetString(), buffer_.GetSize()};
  }

 private:
  void key(std::string_view name) { out_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size())); }

  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> out_;
};

}  // namespace stratumproxyd
