#include "admin/dashboard.hpp"

#include <string>
#include <string_view>
#include <utility>

#include <stratumproxy/version.hpp>

#include "admin/embedded_files.hpp"
#include "admin/json_answer.hpp"

namespace stratumproxyd {
namespace {

// Scripts and styles come from here alone, and nothing is written in the page itself: a name that slipped through as markup
// could do nothing.
constexpr std::string_view content_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

http_response serve(const embedded_file& file, const http_request& request) {
  auto answer = file_answer(file, request);
  for (const auto& [name, value] : {std::pair{"Content-Security-Policy", content_policy},
                                    {"Referrer-Policy", "no-referrer"},
                                    {"Cross-Origin-Opener-Policy", "same-origin"},
                                    {"Cross-Origin-Resource-Policy", "same-origin"}})
    answer.headers.emplace_back(name, value);
  return answer;
}

}  // namespace

void add_dashboard(http_server& server, const api_context& context) {
  for (const auto& file : dashboard_files()) {
    const auto path = std::string("/").append(file.name == "index.html" ? std::string_view() : file.name);
    server.route("GET", path, [&file](const http_request& request) { return serve(file, request); });
  }
  server.route("GET", "/dashboard.json", [address = context.stratum_address](const http_request&) {
    json_answer out;
    out.put("stratum", address());
    out.put("version", stratumproxy::version());
    return out.done();
  });
}

}  // namespace stratumproxyd
