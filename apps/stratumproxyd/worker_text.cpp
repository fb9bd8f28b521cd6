#include "worker_text.hpp"

#include <fmt/format.h>

#include <iterator>
#include <vector>

#include <stratumproxy/scheduling.hpp>

namespace stratumproxyd {
namespace {

void add_label(std::string& out, std::string_view name, std::string_view value) {
  out += out.empty() ? '{' : ',';
  out += name;
  out += "=\"";
  for (const char c : value) {
    if (c == '\n') out += "\\n";
    else if (c == '\\' || c == '"') (out += '\\') += c;
    else out += c;
  }
  out += '"';
}

void add_header(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

template <class Number>
void add_line(std::string& out, std::string_view name, std::string_view labels, Number value) {
  (out += name) += labels;
  fmt::format_to(std::back_inserter(out), "{}\n", value);
}

}  // namespace

std::string worker_text(std::string_view tag, const shown_workers& workers) {
  std::string out;
  std::string labels;
  if (!workers.up.empty())
    add_header(out, "proxy_worker_up", "gauge", "1 while the worker is connected and logged in, 0 while its session is kept for it");
  for (const auto& [name, alive] : workers.up) {
    labels.clear();
    add_label(labels, "proxy", tag);
    add_label(labels, "worker", name.first);
    add_label(labels, "user", name.second);
    add_line(out, "proxy_worker_up", labels += "} ", alive ? 1 : 0);
    stratumproxy::pace();
  }
  if (workers.series.empty()) return out;

  std::vector<std::string> of_series;
  of_series.reserve(workers.series.size());
  std::size_t size = 0;
  for (const auto& [place, row] : workers.series) {
    const auto& [name, account, algorithm, pool] = place;
    auto& made = of_series.emplace_back();
    add_label(made, "proxy", tag);
    add_label(made, "worker", name);
    add_label(made, "user", account);
    add_label(made, "hash", algorithm);
    add_label(made, "pool", pool);
    size += (made += "} ").size();
    stratumproxy::pace();
  }
  out.reserve(out.size() + 9 * (size + 48 * workers.series.size()) + 2'048);

  const auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto&& value, auto&& is_shown) {
    const auto start = out.size();
    add_header(out, name, type, help);
    const auto headed = out.size();
    auto written = of_series.begin();
    for (const auto& [place, row] : workers.series) {
      if (is_shown(place, row)) add_line(out, name, *written, value(row));
      ++written;
      stratumproxy::pace();
    }
    if (out.size() == headed) out.resize(start);
  };
  const auto all = [](const auto&, const auto&) { return true; };
  each("proxy_worker_sended", "counter", "Shares that the worker sent", [](const auto& row) { return row.sent; }, all);
  each("proxy_worker_one_sended", "counter", "Difficulty-1 shares that the worker sent",
       [](const auto& row) { return row.sent_one; }, all);
  each("proxy_worker_accepted", "counter", "Shares of the worker that were accepted", [](const auto& row) { return row.accepted; }, all);
  each("proxy_worker_one_accepted", "counter", "Difficulty-1 shares of the worker that were accepted",
       [](const auto& row) { return row.accepted_one; }, all);
  each("proxy_worker_speed", "gauge", "Hashes per second of the worker, from its accepted shares over the window",
       [](const auto& row) { return row.hashrate; }, all);
  each("proxy_worker_rejected_total", "counter", "Shares of the worker that were rejected, here or by the pool",
       [](const auto& row) { return row.rejected; }, all);
  each("proxy_worker_unknown_total", "counter", "Shares of the worker whose verdict never came",
       [](const auto& row) { return row.unknown; }, all);
  each("proxy_worker_difficulty", "gauge", "Difficulty in force for the worker's next job",
       [](const auto& row) { return row.difficulty; },
       [](const auto& place, const auto&) { return std::get<0>(place) != worker_series::other; });
  each("proxy_worker_best_share", "gauge", "Highest difficulty that a share of the worker would have met, of those checked here",
       [](const auto& row) { return row.best_share; }, [](const auto&, const auto& row) { return row.best_share > 0; });
  return out;
}

}  // namespace stratumproxyd
