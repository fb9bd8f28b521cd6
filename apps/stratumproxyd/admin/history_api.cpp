#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "admin/account_json.hpp"
#include "admin/handlers.hpp"
#include "admin/json_answer.hpp"
#include "admin/json_body.hpp"
#include "admin/query.hpp"
#include "store/text.hpp"
#include "worker_history.hpp"

namespace stratumproxyd {
namespace {

using std::chrono::seconds;

constexpr std::int64_t most_points = 2'000;
constexpr std::int64_t points_by_default = 300;
constexpr std::int64_t end_of_time = 253'402'300'799;  // of the year 9999
constexpr std::int64_t longest_step = 366 * 86'400;
constexpr double hashes_of_difficulty_one = 4'294'967'296.0;

/// What a request asks for, in whole steps.
struct span_of_time {
  std::int64_t from = 0, to = 0, step = 0;
  [[nodiscard]] std::size_t points() const { return static_cast<std::size_t>((to - from) / step); }
};

std::int64_t up_to_multiple(std::int64_t value, std::int64_t of) { return (value + of - 1) / of * of; }

std::int64_t convenient_step(std::int64_t length, std::int64_t finest) {
  for (const std::int64_t step : {60, 300, 900, 1'800, 3'600, 7'200, 10'800, 21'600, 43'200})
    if (step >= finest && length / step <= points_by_default) return step;
  return up_to_multiple(length / points_by_default + 1, 86'400);
}

/// `length`: of what is shown when `from` is not given. `finest_from` says how short a step can be from then on.
template <class Finest>
span_of_time read_span(query_reader& query, std::int64_t now, std::int64_t length, Finest finest_from) {
  span_of_time out;
  out.to = query.whole("to", 1, end_of_time).value_or(now);
  out.from = query.whole("from", 0, end_of_time).value_or(std::max<std::int64_t>(out.to - length, 0));
  if (out.from >= out.to) throw refusal{400, "from must be before to"};
  const auto finest = finest_from(out.from);
  const auto given = query.whole("step", 1, longest_step);
  out.step = given ? up_to_multiple(*given, finest) : convenient_step(out.to - out.from, finest);
  out.from -= out.from % out.step;
  out.to = up_to_multiple(out.to, out.step);
  if ((out.to - out.from) / out.step > most_points)
    throw refusal{400, fmt::format("these are more than {} points: choose a longer step", most_points)};
  return out;
}

void put_span(json_answer& out, const span_of_time& span) {
  out.put("from", static_cast<std::uint64_t>(span.from));
  out.put("to", static_cast<std::uint64_t>(span.to));
  out.put("step", static_cast<std::uint64_t>(span.step));
}

// Of the period that is not over yet only what has passed counts, but so much that a single share is no peak.
double length_so_far(std::int64_t start, std::int64_t step, std::int64_t now) {
  constexpr std::int64_t shortest = 60;
  if (now < start || now >= start + step) return static_cast<double>(step);
  return static_cast<double>(std::clamp(now - start, std::min(shortest, step), step));
}

http_response of_tables(const api_context& context, query_reader& query, history_filter wanted, std::int64_t now) {
  const auto coarse_before = (now - seconds(fine_history).count()) / coarse_period.count() * coarse_period.count();
  const auto span = read_span(query, now, 86'400, [&](std::int64_t from) {
    return from < coarse_before ? coarse_period.count() : fine_period.count();
  });
  query.finish("user, pool, algorithm, worker, from, to and step");
  wanted.from = moment(seconds(span.from));
  wanted.to = moment(seconds(span.to));
  wanted.step = seconds(span.step);
  const auto rows = context.database.history(wanted);

  json_answer out;
  put_span(out, span);
  out.begin_array("series");
  auto row = rows.begin();
  for (auto start = span.from; start < span.to; start += span.step) {
    history_point point{moment(seconds(start))};
    if (row != rows.end() && row->start == point.start) point = *row++;
    out.begin_object();
    out.put("start", static_cast<std::uint64_t>(start));
    put_counts(out, point.sent, point.accepted, point.rejected, point.unknown, point.accepted_one);
    out.put("hashrate", point.accepted_one * hashes_of_difficulty_one / length_so_far(start, span.step, now));
    out.end_object();
  }
  out.end_array();
  return out.done();
}

http_response of_worker(const api_context& context, query_reader& query, const std::string& account, const std::string& rig,
                        std::int64_t now) {
  constexpr auto minute = worker_history::period.count();
  constexpr auto kept = static_cast<std::int64_t>(worker_history::points);
  // The minute that is not over may have no point yet.
  const auto end = now - now % minute;
  const auto begin = std::max<std::int64_t>(end - kept * minute, 0);
  const auto span = read_span(query, end, kept * minute, [](std::int64_t) { return minute; });
  query.finish("worker, user, from, to and step");
  const auto known = context.worker_rates.hashrates(account, rig, moment(seconds(begin)), worker_history::points);

  json_answer out;
  put_span(out, span);
  out.begin_array("series");
  for (auto start = span.from; start < span.to; start += span.step) {
    // Only minutes of which something can be known count.
    const auto first = std::max(start, begin), last = std::min(start + span.step, end);
    if (start >= end) break;
    double sum = 0;
    for (auto at = first; at < last; at += minute) sum += known[static_cast<std::size_t>((at - begin) / minute)];
    out.begin_object();
    out.put("start", static_cast<std::uint64_t>(start));
    out.put("hashrate", first < last ? sum / static_cast<double>((last - first) / minute) : 0);
    out.end_object();
  }
  out.end_array();
  return out.done();
}

// The history has names, no aliases.
std::string canonical(const api_context& context, const std::string& name) {
  for (const auto& each : context.database.algorithms())
    if (std::ranges::find(each.aliases, name) != each.aliases.end()) return each.name;
  return name;
}

}  // namespace

http_response show_history(const api_context& context, const http_request& request) {
  query_reader query(request);
  const auto now = static_cast<std::int64_t>(context.now().time_since_epoch().count());
  const auto worker = query.text("worker");
  history_filter wanted;
  wanted.account = query.text("user");
  if (worker) {
    if (!wanted.account) throw refusal{400, "worker needs user"};
    return of_worker(context, query, *wanted.account, *worker, now);
  }
  if (const auto pool = query.text("pool")) wanted.pool = pool_name(*pool);
  if (const auto algorithm = query.text("algorithm")) wanted.algorithm = canonical(context, lower_case(*algorithm));
  return of_tables(context, query, std::move(wanted), now);
}

}  // namespace stratumproxyd
