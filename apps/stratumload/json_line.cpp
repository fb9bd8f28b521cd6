#include "json_line.hpp"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace stratumload {
namespace {

using rapidjson::SizeType;

constexpr unsigned most_depth = 32;

// Numbers as text: what a peer sends is compared and passed on, not computed with. The names are RapidJSON's.
struct builder {
  rapidjson::Document& to;
  std::string scratch{};
  unsigned depth = 0;

  bool Null() { return to.Null(); }
  bool Bool(bool value) { return to.Bool(value); }
  bool RawNumber(const char* text, SizeType size, bool) {
    scratch.assign(1, json_line::number_sign).append(text, size);
    return to.String(scratch.data(), static_cast<SizeType>(scratch.size()), true);
  }
  bool String(const char* text, SizeType size, bool) { return to.String(text, size, true); }
  bool Key(const char* text, SizeType size, bool) { return to.Key(text, size, true); }
  bool StartObject() { return ++depth <= most_depth && to.StartObject(); }
  bool EndObject(SizeType size) { return --depth, to.EndObject(size); }
  bool StartArray() { return ++depth <= most_depth && to.StartArray(); }
  bool EndArray(SizeType size) { return --depth, to.EndArray(size); }
  // Never called.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
};

class writer : public rapidjson::Writer<rapidjson::StringBuffer> {
 public:
  using Writer::Writer;
  bool String(const char* text, SizeType size, bool copy = false) {
    if (size > 0 && *text == json_line::number_sign) return RawValue(text + 1, size - 1, rapidjson::kNumberType);
    return Writer::String(text, size, copy);
  }
};

std::string written(const rapidjson::Value& value) {
  rapidjson::StringBuffer buffer;
  writer to(buffer);
  value.Accept(to);
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace

bool json_line::parse(std::string_view text) {
  constexpr unsigned flags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::MemoryStream bytes(text.data(), text.size());
  rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> stream(bytes);
  bool good = false;
  document_ = rapidjson::Document();
  const auto fill = [&](rapidjson::Document& to) {
    rapidjson::Reader reader;
    builder events{to};
    return good = !reader.Parse<flags>(stream, events).IsError();
  };
  document_.Populate(fill);
  return good && document_.IsObject();
}

std::string json_line::text() const { return written(document_); }
std::string json_line::text_of(const value& of) { return written(of); }

const json_line::value* json_line::find(const char* key) const {
  const auto found = document_.FindMember(key);
  return found == document_.MemberEnd() ? nullptr : &found->value;
}

std::string_view json_line::method() const { return string_of(find("method")); }

const json_line::value* json_line::param(unsigned index) const {
  const auto* params = find("params");
  return params && params->IsArray() && params->Size() > index ? &(*params)[index] : nullptr;
}

void json_line::set_param(unsigned index, std::string_view text) {
  if (param(index)) document_["params"][index].SetString(text.data(), static_cast<SizeType>(text.size()), document_.GetAllocator());
}

void json_line::set_id(std::string_view text) {
  if (!find("id")) return;
  auto& id = document_["id"];
  if (text.starts_with('"')) {
    rapidjson::Document read;
    read.Parse(text.data(), text.size());
    if (!read.HasParseError()) id.CopyFrom(read, document_.GetAllocator());
  } else {
    const auto with_sign = number_sign + std::string(text);
    id.SetString(with_sign.data(), static_cast<SizeType>(with_sign.size()), document_.GetAllocator());
  }
}

std::string json_line::id_text() const {
  const auto* id = find("id");
  return !id || id->IsNull() ? std::string() : written(*id);
}

}  // namespace stratumload
