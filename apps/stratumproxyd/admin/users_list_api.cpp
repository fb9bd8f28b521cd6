#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "admin/account_json.hpp"
#include "admin/handlers.hpp"
#include "admin/json_answer.hpp"
#include "admin/json_body.hpp"
#include "admin/query.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

namespace metrics = stratumproxy::metrics;

constexpr std::int64_t longest_page = 10'000;

user_filter read_filter(const http_request& request) {
  query_reader query(request);
  user_filter out;
  if (const auto pool = query.text("pool")) out.pool = pool_name(*pool);
  if (const auto algorithm = query.text("algorithm")) out.algorithm = lower_case(*algorithm);
  out.search = query.text("search");
  out.after = query.text("after").value_or("");
  out.limit = static_cast<std::size_t>(query.whole("limit", 1, longest_page).value_or(1'000));
  query.finish("pool, algorithm, search, limit and after");
  return out;
}

struct live {
  std::uint64_t workers = 0;
  double hashrate = 0;
};

void put(json_answer& out, const user_record& account, const live& runs, moment now) {
  put_account(out, account);
  out.put("workers", runs.workers);
  out.put("hashrate", runs.hashrate);
  put_seen_and_totals(out, account, runs.workers, now);
}

}  // namespace

http_response list_users(const api_context& context, const http_request& request) {
  auto wanted = read_filter(request);
  const auto limit = wanted.limit++;  // one more, to know whether it is the last page
  auto rows = context.database.users(wanted);
  const auto taken = context.snapshot(metrics::scope::everything);
  if (!taken) throw refusal{503, "the counters cannot be read at the moment"};

  std::map<std::string_view, live> running;
  for (const auto& row : taken->workers) {
    auto& account = running[row.account];
    account.hashrate += row.hashrate;
    if (row.up && row.is_current) ++account.workers;
  }
  const bool more = rows.size() > limit;
  if (more) rows.pop_back();
  const auto now = context.now();
  json_answer out;
  out.begin_array("users");
  for (const auto& row : rows) {
    if (row.routes.empty()) continue;  // removed at this moment
    const auto found = running.find(row.name);
    out.begin_object();
    put(out, row, found == running.end() ? live{} : found->second, now);
    out.end_object();
  }
  out.end_array();
  out.put("next", more ? std::string_view(rows.back().name) : std::string_view());
  return out.done();
}

}  // namespace stratumproxyd
