#include <catch2/catch.hpp>

#include <rapidjson/document.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

#include <stratumproxy/version.hpp>

#include "admin/embedded_files.hpp"
#include "served_api.hpp"

using namespace stratumproxy::test;

namespace {

// What stands in the path has another name there and here, and the files of the dashboard are described as one.
std::string generic(const std::string& path) {
  for (const auto& file : stratumproxyd::dashboard_files())
    if (path == std::string("/").append(file.name)) return "/{}";
  const auto open = path.find('{');
  return open == std::string::npos ? path : path.substr(0, open) + "{}" + path.substr(path.find('}') + 1);
}

std::set<std::string> described() {
  rapidjson::Document json;
  json.Parse(stratumproxyd::api_description().front().content.data(), stratumproxyd::api_description().front().content.size());
  REQUIRE(json.IsObject());
  std::set<std::string> out;
  for (const auto& path : json["paths"].GetObject())
    for (const auto& operation : path.value.GetObject()) {
      std::string method = operation.name.GetString();
      if (method == "parameters") continue;
      std::ranges::transform(method, method.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      out.insert(method + ' ' + generic(path.name.GetString()));
    }
  return out;
}

}  // namespace

TEST_CASE("the API's description has exactly the routes of the server") {
  served_api web;
  std::set<std::string> served;
  for (const auto& [method, path] : web.server.routes()) served.insert(method + ' ' + generic(path));
  CHECK(served == described());
}

TEST_CASE("the API's description is served to who may read, with the version of the program") {
  served_api web("a-token-of-some-length");
  const std::string path = "/api/v1/openapi.json", token = "Authorization: Bearer a-token-of-some-length\r\n";
  CHECK(web.status(get(path)) == 401);
  const auto answer = web.ask(get(path, token));
  CHECK(status_of(answer) == 200);
  const auto json = json_of(answer);
  CHECK(json["info"]["version"].GetString() == std::string(stratumproxy::version()));
  const std::string tag(stratumproxyd::api_description().front().etag);
  CHECK(answer.find("\r\nETag: " + tag + "\r\n") != std::string::npos);
  CHECK(web.status(get(path, token + "If-None-Match: " + tag + "\r\n")) == 304);
}
