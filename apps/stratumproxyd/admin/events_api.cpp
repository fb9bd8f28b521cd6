#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "admin/handlers.hpp"
#include "admin/json_body.hpp"
#include "event_text.hpp"

namespace stratumproxyd {
namespace {

std::uint64_t parse_after(const http_request& request) {
  if (request.query.empty()) return 0;
  const auto& [name, text] = request.query.front();
  if (name != "after" || request.query.size() > 1) throw refusal{400, "the query parameter is after, once"};
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end) throw refusal{400, "after must be the number of an event"};
  return value;
}

std::string time_text(std::int64_t milliseconds) {
  const std::chrono::system_clock::time_point seconds{std::chrono::seconds(milliseconds / 1'000)};
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), milliseconds % 1'000);
}

}  // namespace

http_response list_events(const api_context& context, const http_request& request) {
  const auto after = parse_after(request);
  const auto found = context.events.after(after);
  std::string out = "{\"events\":[";
  for (const auto& each : found)
    out += fmt::format("{}{{\"seq\":{},\"time\":\"{}\",\"level\":\"{}\",{}}}", &each == found.data() ? "" : ",", each.seq,
                       time_text(each.time), name(each.level), each.members);
  out += fmt::format("],\"next\":{},\"error\":\"\"}}\n", found.empty() ? after : found.back().seq);
  return {.status = 200, .body = std::move(out), .headers = {}};
}

}  // namespace stratumproxyd
