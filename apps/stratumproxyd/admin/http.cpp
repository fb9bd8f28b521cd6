#include "admin/http.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace stratumproxyd {
namespace {

http_response answer(int status, std::string_view name, std::string_view error) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> out(buffer);
  out.StartObject();
  out.Key("name");
  out.String(name.data(), static_cast<rapidjson::SizeType>(name.size()));
  out.Key("error");
  out.String(error.data(), static_cast<rapidjson::SizeType>(error.size()));
  out.EndObject();
  return {.status = status, .body = std::string(buffer.GetString(), buffer.GetSize()) + '\n', .headers = {}};
}

}  // namespace

http_response http_error(int status, std::string_view text) {
  auto refused = answer(status, "", text);
  if (status == 503) refused.headers.emplace_back("Retry-After", "2");
  return refused;
}
http_response http_named(int status, std::string_view name) { return answer(status, name, ""); }

}  // namespace stratumproxyd
