#include "exporter.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <tuple>
#include <utility>
#include <vector>

#include "link_rules.hpp"
#include "worker_text.hpp"

namespace stratumproxyd {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using labels = std::vector<ClientMetric::Label>;
using stratumproxy::link_mode;
namespace metrics = stratumproxy::metrics;

/// Families in the order in which they were made.
class page {
 public:
  explicit page(std::string_view tag) : tag_(tag) {}

  MetricFamily& family(std::string_view name, MetricType type, std::string_view help) {
    return families_.emplace_back(MetricFamily{std::string(name), std::string(help), type, {}});
  }

  void add(MetricFamily& family, labels rest, double value) {
    ClientMetric metric = labelled(std::move(rest));
    if (family.type == MetricType::Counter) metric.counter.value = value;
    else metric.gauge.value = value;
    family.metric.push_back(std::move(metric));
  }

  void gauge(std::string_view name, std::string_view help, double value) {
    add(family(name, MetricType::Gauge, help), {}, value);
  }
  /// A metric of the process itself, which other exporters have too: without the label `proxy`.
  void process(std::string_view name, MetricType type, std::string_view help, double value) {
    auto& made = family(name, type, help);
    auto& metric = made.metric.emplace_back();
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  }
  ClientMetric labelled(labels rest) const {
    ClientMetric metric;
    metric.label.reserve(rest.size() + 1);
    metric.label.push_back({"proxy", tag_});
    std::ranges::move(rest, std::back_inserter(metric.label));
    return metric;
  }

  std::string text() {
    std::erase_if(families_, [](const MetricFamily& made) { return made.metric.empty(); });
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return std::move(out).str();
  }

 private:
  std::string tag_;
  std::vector<MetricFamily> families_;
};

// The families of single workers are worker_text()'s.
void add_workers(page& out, const shown_workers& workers) {
  auto& mining = out.family("proxy_workers", MetricType::Gauge, "Workers of the account that are connected and mine at the pool");
  for (const auto& [key, number] : workers.mining) {
    const auto& [account, algorithm, pool] = key;
    out.add(mining, {{"user", std::string(account)}, {"hash", std::string(algorithm)}, {"pool", std::string(pool)}},
            static_cast<double>(number));
  }
  out.gauge("proxy_workers_unnamed", "Workers without series of their own, which are shown together as worker=\"other\"",
            static_cast<double>(workers.unnamed));
}

// One series a value of the label, which is an Enum; those without any are left out.
template <class Enum, std::size_t N>
void add_each(page& out, MetricFamily& family, const labels& names, std::string_view label,
              const std::array<std::uint64_t, N>& counts) {
  for (std::size_t value = 0; value < N; ++value) {
    if (counts[value] == 0) continue;
    auto with_value = names;
    with_value.push_back({std::string(label), std::string(metrics::name(static_cast<Enum>(value)))});
    out.add(family, std::move(with_value), static_cast<double>(counts[value]));
  }
}

constexpr std::string_view pool_states[] = {"up", "silent", "failing", "idle"};

std::string_view state_of(const metrics::pool_row& row) {
  const auto count = [&](metrics::link_state state) {
    return row.links[static_cast<std::size_t>(state)] + row.shared_links[static_cast<std::size_t>(state)];
  };
  if (count(metrics::link_state::live) + count(metrics::link_state::parked) > 0) return "up";
  if (count(metrics::link_state::silent) > 0) return "silent";
  const auto has_links = [](const auto& links) { return std::ranges::any_of(links, [](auto number) { return number > 0; }); };
  return has_links(row.links) || has_links(row.shared_links) ? "failing" : "idle";
}

void add_pools(page& out, const metrics::snapshot& now) {
  std::map<std::pair<std::string_view, std::string_view>, metrics::pool_row> rows;
  for (const auto& row : now.pools) {
    const auto [found, first] = rows.try_emplace({row.algorithm, row.pool}, row);
    if (first) continue;
    auto& sum = found->second;
    for (std::size_t state = 0; state < metrics::link_states; ++state) {
      sum.links[state] += row.links[state];
      sum.shared_links[state] += row.shared_links[state];
    }
    for (std::size_t reason = 0; reason < metrics::reject_reasons; ++reason) sum.rejected_here[reason] += row.rejected_here[reason];
    sum.held_back += row.held_back;
    sum.unchecked += row.unchecked;
    sum.connects += row.connects;
    sum.drops += row.drops;
    sum.refused_logins += row.refused_logins;
    sum.protocol_errors += row.protocol_errors;
    for (std::size_t cause = 0; cause < metrics::switch_causes; ++cause) sum.switches[cause] += row.switches[cause];
  }
  const auto names = [](const metrics::pool_row& row) { return labels{{"hash", row.algorithm}, {"pool", row.pool}}; };
  const auto each = [&](std::string_view name, MetricType type, std::string_view help, auto&& value) {
    auto& made = out.family(name, type, help);
    for (const auto& [key, row] : rows) out.add(made, names(row), static_cast<double>(value(row)));
  };
  each("proxy_pool_up", MetricType::Gauge, "1 while any link to the pool is live, with a job or without, else 0",
       [](const auto& row) { return state_of(row) == "up" || state_of(row) == "silent" ? 1 : 0; });
  auto& of_pools = out.family("proxy_pool_state", MetricType::Gauge,
                              "1 for the state that the pool is in, by its links: up, silent, failing or idle; else 0");
  for (const auto& [key, row] : rows) {
    for (const auto state : pool_states) {
      auto with_state = names(row);
      with_state.push_back({"state", std::string(state)});
      out.add(of_pools, std::move(with_state), state_of(row) == state ? 1 : 0);
    }
  }
  each("proxy_pool_divider", MetricType::Gauge, "Expected hashes of a share at this pool = 2^32 * difficulty / divider",
       [](const auto& row) { return row.divider; });
  auto& states = out.family("proxy_links", MetricType::Gauge, "Connections to the pool by mode and state");
  const auto add_states = [&](const metrics::pool_row& row, link_mode mode, const std::array<std::uint64_t, metrics::link_states>& counts) {
    for (std::size_t state = 0; state < metrics::link_states; ++state) {
      auto with_state = names(row);
      with_state.push_back({"mode", std::string(name(mode))});
      with_state.push_back({"state", std::string(metrics::name(static_cast<metrics::link_state>(state)))});
      out.add(states, std::move(with_state), static_cast<double>(counts[state]));
    }
  };
  for (const auto& [key, row] : rows) {
    add_states(row, link_mode::dedicated, row.links);
    add_states(row, link_mode::shared, row.shared_links);
  }
  each("proxy_link_connects_total", MetricType::Counter, "Attempts to connect to the pool",
       [](const auto& row) { return row.connects; });
  each("proxy_link_drops_total", MetricType::Counter, "Live links to the pool that were lost",
       [](const auto& row) { return row.drops; });
  each("proxy_link_refused_logins_total", MetricType::Counter, "Logins that the pool refused",
       [](const auto& row) { return row.refused_logins; });
  each("proxy_link_protocol_errors_total", MetricType::Counter, "Lines or fields from the pool that could not be used",
       [](const auto& row) { return row.protocol_errors; });
  each("proxy_shares_held_back_total", MetricType::Counter,
       "Shares that were accepted here and not sent to the pool, because they did not meet its target",
       [](const auto& row) { return row.held_back; });
  each("proxy_shares_unchecked_total", MetricType::Counter,
       "Shares that went to the pool without the check of their proof of work, because too many waited for it",
       [](const auto& row) { return row.unchecked; });
  auto& rejected = out.family("proxy_local_rejects_total", MetricType::Counter,
                              "Shares that the proxy itself rejected, by reason; reasons without any are left out");
  for (const auto& [key, row] : rows) add_each<metrics::reject_reason>(out, rejected, names(row), "reason", row.rejected_here);
  auto& switches = out.family("proxy_pool_switches_total", MetricType::Counter,
                              "Workers that went from the pool to another one, by cause; causes without any are left out");
  for (const auto& [key, row] : rows) add_each<metrics::switch_cause>(out, switches, names(row), "cause", row.switches);
}

void add_shared_links(page& out, const metrics::snapshot& now) {
  const auto each = [&](std::string_view name, std::string_view help, auto&& value) {
    auto& made = out.family(name, MetricType::Gauge, help);
    for (const auto& row : now.links) {
      if (!row.is_shared) continue;
      if (const std::optional<double> shown = value(row))
        out.add(made, {{"user", row.account}, {"pool", row.pool}, {"link", std::to_string(row.link)}}, *shown);
    }
  };
  each("proxy_link_up", "1 while the shared link is live, else 0", [](const metrics::link_row& row) {
    return row.state == metrics::link_state::live || row.state == metrics::link_state::silent || row.state == metrics::link_state::parked;
  });
  each("proxy_link_lanes_used", "Workers of the shared link, those of kept sessions too",
       [](const metrics::link_row& row) { return static_cast<double>(row.workers); });
  each("proxy_link_lanes", "Workers that the shared link takes",
       [](const metrics::link_row& row) { return static_cast<double>(row.limit); });
  each("proxy_link_difficulty", "Difficulty that the pool set for the shared link",
       [](const metrics::link_row& row) { return row.difficulty; });
  each("proxy_link_round_trip_seconds", "Time from a share on the shared link to the pool's verdict, averaged over the last ones",
       [](const metrics::link_row& row) { return row.round_trip > 0 ? std::optional(row.round_trip) : std::nullopt; });
}

void add_routes(page& out, const metrics::snapshot& now) {
  std::map<std::string_view, double> work;  // of the account
  for (const auto& row : now.routes) work[row.account] += row.work;
  const auto each = [&](std::string_view name, MetricType type, std::string_view help, auto&& value) {
    auto& made = out.family(name, type, help);
    for (const auto& row : now.routes)
      out.add(made, {{"user", row.account}, {"pool", row.pool}, {"route", std::to_string(row.route)}},
              static_cast<double>(value(row)));
  };
  each("proxy_route_usable", MetricType::Gauge, "1 while workers of the account may come to this pool of it, else 0",
       [](const auto& row) { return row.is_usable ? 1 : 0; });
  each("proxy_route_weight", MetricType::Gauge, "The pool's weight in the account; 0 for a fall-back",
       [](const auto& row) { return row.weight; });
  each("proxy_route_workers", MetricType::Gauge, "Workers of the account that mine at this pool of it at the moment",
       [](const auto& row) { return row.workers; });
  each("proxy_route_difficulty_one_accepted_total", MetricType::Counter,
       "Difficulty-1 shares accepted at this pool of the account since the account's first worker came",
       [](const auto& row) { return row.work; });
  each("proxy_route_share", MetricType::Gauge, "The part of the account's accepted difficulty-1 shares that this pool of it got",
       [&](const auto& row) { return work[row.account] > 0 ? row.work / work[row.account] : 0; });
}

// Of this process, unlike the counters of shares.
void add_worker_seconds(page& out, const metrics::snapshot& now) {
  auto& made = out.family("proxy_worker_seconds_total", MetricType::Counter,
                          "Time that workers of the account mined at the pool, summed over them");
  for (const auto& row : now.totals)
    out.add(made, {{"user", row.account}, {"hash", row.algorithm}, {"pool", row.pool}}, row.worker_seconds);
}

void add_totals(page& out, std::span<const total_record> committed) {
  const auto names = [](const total_record& row) {
    return labels{{"user", row.account}, {"hash", row.algorithm}, {"pool", row.pool}};
  };
  const auto each = [&](std::string_view name, std::string_view help, auto&& value) {
    auto& made = out.family(name, MetricType::Counter, help);
    made.metric.reserve(committed.size());
    for (const auto& row : committed) out.add(made, names(row), static_cast<double>(value(row.shares)));
  };
  each("proxy_shares_sent_total", "Shares sent by all workers of the account",
       [](const auto& shares) { return shares.sent; });
  each("proxy_shares_accepted_total", "Shares accepted by the pool or verified here",
       [](const auto& shares) { return shares.accepted; });
  each("proxy_pool_shares_accepted_total", "Shares that the pool itself accepted",
       [](const auto& shares) { return shares.pool_accepted; });
  each("proxy_shares_unknown_total", "Shares whose verdict never came",
       [](const auto& shares) { return shares.unknown; });
  each("proxy_shares_late_total", "Verdicts that came after the deadline and changed nothing",
       [](const auto& shares) { return shares.late; });
  each("proxy_difficulty_one_sent_total", "Difficulty-1 shares sent by all workers of the account",
       [](const auto& shares) { return shares.sent_one; });
  each("proxy_difficulty_one_accepted_total", "Difficulty-1 shares accepted by the pool or verified here",
       [](const auto& shares) { return shares.accepted_one; });
  each("proxy_difficulty_one_pool_accepted_total", "Difficulty-1 shares that the pool itself accepted",
       [](const auto& shares) { return shares.pool_accepted_one; });

  auto& rejected = out.family("proxy_shares_rejected_total", MetricType::Counter,
                              "Shares rejected here or by the pool, by reason; reasons without any are left out");
  for (const auto& row : committed) add_each<metrics::reject_reason>(out, rejected, names(row), "reason", row.shares.rejected);
}

struct event_help {
  std::string_view name, text;
};
constexpr event_help event_helps[] = {
    {"authorizes_failed", "Logins of miners that failed"},
    {"connections_accepted", "Connections of miners that were accepted"},
    {"connections_closed", "Connections of miners that ended, by reason"},
    {"connections_refused", "Connections of miners that were closed at once, by reason"},
    {"descriptors_exhausted", "Times that no file descriptor was left for a connection"},
    {"intruders_refused", "Connections that spoke another protocol"},
    {"jobs_coalesced", "Jobs that were not sent to a worker because it did not read the ones before"},
    {"lines_refused", "Lines of miners that were no usable message"},
    {"links_closed", "Connections to pools that ended, by reason"},
    {"miner_responses", "Answers of miners that were asked nothing"},
    {"pool_messages_refused", "Messages of pools with a field that must not reach a miner"},
    {"pool_requests_refused", "Requests of pools with an unknown method"},
    {"reconnects_refused", "client.reconnect of pools to where it must not lead"},
    {"sessions_handed_over", "Sessions that returned on another shard"},
    {"sessions_kept", "Sessions that were kept for a worker that dropped"},
    {"sessions_moved", "Sessions that moved to another account"},
    {"sessions_recalled", "Sessions that a worker of another proxy brought along"},
    {"sessions_restored", "Sessions that were given back to their worker"},
    {"sessions_superseded", "Connections that ended because their session returned on another one"},
    {"verdicts_unmatched", "Answers of pools to no share in flight"},
};

std::string_view help_of(std::string_view event) {
  const auto found = std::ranges::find(event_helps, event, &event_help::name);
  return found != std::end(event_helps) ? found->text : std::string_view("Events of the proxy since its start");
}

void add_events(page& out, const metrics::snapshot& now) {
  std::map<std::string_view, std::map<std::pair<std::string_view, std::string_view>, std::uint64_t>> families;
  for (const auto& row : now.events) families[row.name][{row.label, row.value}] += row.count;
  for (const auto& [name, series] : families) {
    const auto full = "proxy_" + std::string(name) + "_total";
    auto& made = out.family(full, MetricType::Counter, help_of(name));
    for (const auto& [label, count] : series) {
      labels rest;
      if (!label.first.empty()) rest.push_back({std::string(label.first), std::string(label.second)});
      out.add(made, std::move(rest), static_cast<double>(count));
    }
  }
}

void add_round_trip(page& out, const metrics::latency_histogram& round_trip) {
  auto& made = out.family("proxy_share_round_trip_seconds", MetricType::Histogram,
                          "Time from the miner's share to the pool's verdict");
  auto metric = out.labelled({});
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < round_trip.bounds.size(); ++i) {
    cumulative += round_trip.counts[i];
    metric.histogram.bucket.push_back({cumulative, round_trip.bounds[i]});
  }
  metric.histogram.sample_count = cumulative + round_trip.counts.back();
  metric.histogram.sample_sum = round_trip.sum;
  made.metric.push_back(std::move(metric));
}

void add_http(page& out, const exposition_input& input) {
  auto& requests = out.family("proxy_http_requests_total", MetricType::Counter, "HTTP requests that were answered, by status");
  for (const auto& [status, answers] : input.http_answers)
    out.add(requests, {{"code", std::to_string(status)}}, static_cast<double>(answers));
  auto& failed = out.family("proxy_http_authentications_failed_total", MetricType::Counter,
                            "HTTP requests with a token that is not known");
  out.add(failed, {}, static_cast<double>(input.http_failed_logins));
}

void add_process(page& out, const process_stats& process) {
  const auto value = [](std::uint64_t figure) { return static_cast<double>(figure); };
  out.process("process_cpu_seconds_total", MetricType::Counter, "User and system CPU time", process.cpu_seconds);
  out.process("process_resident_memory_bytes", MetricType::Gauge, "Resident memory", value(process.resident_bytes));
  out.process("process_virtual_memory_bytes", MetricType::Gauge, "Virtual memory", value(process.virtual_bytes));
  out.process("process_open_fds", MetricType::Gauge, "Open file descriptors", value(process.open_fds));
  out.process("process_max_fds", MetricType::Gauge, "Limit of open file descriptors", value(process.max_fds));
  out.process("process_threads", MetricType::Gauge, "Threads", value(process.threads));
  out.process("process_start_time_seconds", MetricType::Gauge, "Start of the process, seconds since the epoch",
              process.start_time_seconds);
}

}  // namespace

std::string exposition(const exposition_input& input) {
  page out(input.tag);
  add_workers(out, input.workers);
  add_pools(out, input.now);
  add_shared_links(out, input.now);
  add_routes(out, input.now);
  add_worker_seconds(out, input.now);
  add_totals(out, input.committed);
  add_events(out, input.now);
  add_round_trip(out, input.now.round_trip);
  out.gauge("proxy_connections", "Open connections of miners, logged in or not", static_cast<double>(input.now.connections));
  out.gauge("proxy_sessions_kept", "Sessions kept for workers that dropped", static_cast<double>(input.now.kept_sessions));
  out.gauge("proxy_database_up", "1 while the database answers", input.database_up ? 1 : 0);
  out.gauge("proxy_tag_held", "0 while another proxy writes totals under this one's tag, so that its own stay in memory; else 1",
            input.has_tag ? 1 : 0);
  out.gauge("proxy_config_last_reload_successful", "1 unless the last reload found a bad configuration", input.reload_ok ? 1 : 0);
  out.add(out.family("proxy_build_info", MetricType::Gauge, "Always 1; the version is a label"),
          {{"version", std::string(input.version)}}, 1);
  add_http(out, input);
  add_process(out, input.process);
  return worker_text(input.tag, input.workers) + out.text();
}

}  // namespace stratumproxyd
