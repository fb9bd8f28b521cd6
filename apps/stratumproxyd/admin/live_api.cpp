#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/handlers.hpp"
#include "admin/json_answer.hpp"
#include "admin/json_body.hpp"
#include "link_rules.hpp"

namespace stratumproxyd {
namespace {

namespace metrics = stratumproxy::metrics;
using stratumproxy::link_mode;

/// Which rows are asked for.
struct row_filter {
  std::optional<std::string> user, pool;
  std::size_t limit = 1'000;
  std::string after;  // the last key of the page before

  explicit row_filter(const http_request& request) {
    std::vector<std::string_view> seen;
    for (const auto& [name, value] : request.query) {
      if (std::ranges::find(seen, name) != seen.end()) throw refusal{400, "a query parameter appears twice"};
      seen.push_back(name);
      if (name == "user") user = value;
      else if (name == "pool") pool = pool_name(value);
      else if (name == "after") after = value;
      else if (name == "limit") limit = parse_limit(value);
      else throw refusal{400, "the query parameters are user, pool, limit and after"};
    }
  }

  static std::size_t parse_limit(const std::string& text) {
    constexpr std::size_t most = 10'000;
    std::size_t value = 0;
    const auto* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stopped != end || value < 1 || value > most)
      throw refusal{400, fmt::format("limit must be a whole number from 1 to {}", most)};
    return value;
  }
};

// Keys go into URLs as they are, and hex digits are in the order of what they stand for.
std::string key_of(const metrics::worker_row& row) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const auto* part : {&row.account, &row.address, &row.pool, &row.session}) {
    for (const char c : *part) {
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 15];
    }
    out += "00";
  }
  return out;
}

std::string key_of(const metrics::link_row& row) { return fmt::format("{:016x}", row.link); }

void put(json_answer& out, const metrics::worker_row& row) {
  out.put("worker", row.address);
  out.put("user", row.account);
  out.put("rig", row.rig);
  out.put("agent", row.agent);
  out.put("hash", row.algorithm);
  out.put("pool", row.pool);
  out.put("session", row.session);
  out.put_flag("up", row.up);
  out.put_flag("current", row.is_current);
  out.put("difficulty", row.difficulty);
  out.put("hashrate", row.hashrate);
  out.put("version_mask", fmt::format("{:08x}", row.version_mask));
  out.put("best_share", row.best_share);
  out.put("mark", row.mark);
  out.put("miner_bytes", std::uint64_t{row.miner_bytes});
  out.put("connected_seconds", row.connected_seconds);
  if (row.last_share_seconds) out.put("last_share_seconds", *row.last_share_seconds);
  else out.put_null("last_share_seconds");
  out.put("sent", row.shares.sent);
  out.put("accepted", row.shares.accepted);
  out.put("rejected", row.shares.rejected_total());
  out.put("unknown", row.shares.unknown);
}

void put(json_answer& out, const metrics::link_row& row) {
  out.put("link", row.link);
  out.put("pool", row.pool);
  out.put("user", row.account);
  if (row.route) out.put("route", std::uint64_t{*row.route});
  out.put("mode", name(row.is_shared ? link_mode::shared : link_mode::dedicated));
  out.put("state", metrics::name(row.state));
  out.put("workers", row.workers);
  out.put("limit", row.limit);
  out.put("difficulty", row.difficulty);
  out.put("round_trip_seconds", row.round_trip);
  out.put("fault", row.fault);
}

/// A worker whose connection was lost, and may come back.
struct kept_session : metrics::worker_row {};

void put(json_answer& out, const kept_session& row) {
  out.put("session", row.session);
  out.put("worker", row.address);
  out.put("user", row.account);
  out.put("rig", row.rig);
  out.put("hash", row.algorithm);
  out.put("pool", row.pool);
  out.put("kept_seconds", row.kept_seconds);
  out.put("expires_seconds", row.expires_seconds);
}

/// The rows that are wanted, in the order of their keys, and where the next page begins.
template <class Row>
http_response page_of(std::string_view name, const std::vector<Row>& rows, const row_filter& wanted) {
  std::vector<std::pair<std::string, const Row*>> found;
  for (const auto& row : rows) {
    if ((wanted.user && row.account != *wanted.user) || (wanted.pool && row.pool != *wanted.pool)) continue;
    if (auto key = key_of(row); key > wanted.after) found.emplace_back(std::move(key), &row);
  }
  std::ranges::sort(found, {}, [](const auto& each) -> const std::string& { return each.first; });
  auto count = std::min(wanted.limit, found.size());
  // Rows with one key stay together, or the next page would begin after both.
  while (count > 0 && count < found.size() && found[count].first == found[count - 1].first) ++count;

  json_answer out;
  out.begin_array(name);
  for (std::size_t i = 0; i < count; ++i) {
    out.begin_object();
    put(out, *found[i].second);
    out.end_object();
  }
  out.end_array();
  out.put("next", count < found.size() ? std::string_view(found[count - 1].first) : std::string_view());
  return out.done();
}

metrics::snapshot take(const api_context& context, metrics::scope what) {
  auto now = context.snapshot(what);
  if (!now) throw refusal{503, "the counters cannot be read at the moment"};
  return *std::move(now);
}

}  // namespace

http_response list_workers(const api_context& context, const http_request& request) {
  const row_filter wanted(request);
  return page_of("workers", take(context, metrics::scope::everything).workers, wanted);
}

http_response show_worker(const api_context& context, const http_request& request) {
  auto rows = take(context, metrics::scope::everything).workers;
  std::erase_if(rows, [&](const auto& row) { return row.address != request.parameter; });
  if (rows.empty()) return http_error(404, "unknown worker");
  const row_filter wanted(request);
  return page_of("workers", rows, wanted);
}

http_response list_sessions(const api_context& context, const http_request& request) {
  const row_filter wanted(request);
  std::vector<kept_session> kept;
  for (auto& row : take(context, metrics::scope::everything).workers)
    if (!row.up && row.is_current) kept.push_back({std::move(row)});
  return page_of("sessions", kept, wanted);
}

http_response list_links(const api_context& context, const http_request& request) {
  const row_filter wanted(request);
  return page_of("links", take(context, metrics::scope::all_links).links, wanted);
}

}  // namespace stratumproxyd
