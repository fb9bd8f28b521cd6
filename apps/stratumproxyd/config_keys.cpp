#include "config_keys.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <stratumproxy/bans.hpp>

#include "admin/access.hpp"
#include "endpoint.hpp"
#include "store/text.hpp"

namespace stratumproxyd {
namespace {

using std::chrono::milliseconds;

std::string set_text(std::string& out, const config_value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (!text || text->find('\0') != std::string::npos) return "a string";
  out = *text;
  return {};
}

std::string set_address(std::string& out, const config_value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (!text || !parse_endpoint(*text)) return "a string HOST:PORT, such as \"127.0.0.1:9332\" or \"[::]:9332\"";
  out = *text;
  return {};
}

std::string set_path(std::filesystem::path& out, const config_value& value) {
  std::string text;
  if (auto expected = set_text(text, value); !expected.empty()) return expected;
  out = text;
  return {};
}

// [USER:PASSWORD@]HOST:PORT
std::string set_socks5(stratumproxy::socks5_options& out, const config_value& value) {
  constexpr std::string_view expected = "a string HOST:PORT or USER:PASSWORD@HOST:PORT";
  const auto* text = std::get_if<std::string>(&value);
  if (!text) return std::string(expected);
  out = {};
  if (text->empty()) return {};
  const auto at = text->rfind('@');
  const auto server = parse_pool(std::string_view(*text).substr(at == std::string::npos ? 0 : at + 1));
  if (!server) return std::string(expected);
  out.host = server->host;
  out.port = server->port;
  if (at == std::string::npos) return {};
  const auto colon = text->find(':');
  const bool is_whole = colon > 0 && colon < at && text->find('\0') == std::string::npos;
  out.user = text->substr(0, colon);
  out.password = is_whole ? text->substr(colon + 1, at - colon - 1) : "";
  const bool fits = !out.password.empty() && out.user.size() <= 255 && out.password.size() <= 255;
  return fits ? std::string() : std::string(expected);
}

std::string show_socks5(const stratumproxy::socks5_options& socks) {
  if (socks.host.empty()) return {};
  const auto server = endpoint{socks.host, socks.port}.text();
  return socks.user.empty() ? server : fmt::format("{}:{}@{}", socks.user, socks.password, server);
}

std::string set_flag(bool& out, const config_value& value) {
  const auto* flag = std::get_if<bool>(&value);
  if (!flag) return "true or false";
  out = *flag;
  return {};
}

// NaN, which is in no range, when it is no number.
double real_of(const config_value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  const auto* fraction = std::get_if<double>(&value);
  return fraction ? *fraction : std::nan("");
}

template <class T>
std::string set_number(T& out, const config_value& value, std::int64_t low, std::int64_t high) {
  const auto* number = std::get_if<std::int64_t>(&value);
  if (!number || *number < low || *number > high) return fmt::format("a whole number from {} to {}", low, high);
  out = static_cast<T>(*number);
  return {};
}

std::string set_seconds(milliseconds& out, const config_value& value, double low, double high) {
  const double seconds = real_of(value);
  if (!(seconds >= low && seconds <= high)) return fmt::format("a number of seconds from {} to {}", low, high);
  out = milliseconds(std::llround(seconds * 1000));
  return {};
}

std::string set_real(double& out, const config_value& value, double low, double high) {
  const double number = real_of(value);
  if (!(number >= low && number <= high)) return fmt::format("a number from {} to {}", low, high);
  out = number;
  return {};
}

template <class Enum>
using word_list = std::vector<std::pair<std::string_view, Enum>>;

template <class Enum>
std::string set_word(Enum& out, const config_value& value, const word_list<Enum>& words) {
  const auto* text = std::get_if<std::string>(&value);
  std::string known;
  for (const auto& [word, meaning] : words) {
    if (text && *text == word) {
      out = meaning;
      return {};
    }
    known += (known.empty() ? "\"" : ", \"") + std::string(word) + '"';
  }
  return "one of " + known;
}

const word_list<stratumproxy::listener_tls>& words_of_tls() {
  using stratumproxy::listener_tls;
  static const word_list<listener_tls> words{{"detect", listener_tls::detect}, {"only", listener_tls::only}, {"off", listener_tls::off}};
  return words;
}

std::string set_hosts(std::vector<std::string>& out, const config_value& value) {
  const auto* hosts = std::get_if<std::vector<std::string>>(&value);
  const auto is_host = [](const std::string& host) { return parse_endpoint(host + ":0").has_value(); };
  if (!hosts || !std::ranges::all_of(*hosts, is_host)) return "an array of host names without ports";
  out.clear();
  for (const auto& host : *hosts) out.push_back(parse_endpoint(host + ":0")->host);
  return {};
}

std::string set_networks(std::vector<std::string>& out, const config_value& value) {
  const auto* networks = std::get_if<std::vector<std::string>>(&value);
  const auto is_network = [](const std::string& text) {
    return text.find_first_of(".:") != std::string::npos && stratumproxy::ban_list::canonical(text);
  };
  if (!networks || !std::ranges::all_of(*networks, is_network))
    return "an array of addresses and networks, such as [\"10.0.0.5\", \"2001:db8::/32\"]";
  out = *networks;
  return {};
}

std::string set_agents(std::vector<std::pair<std::string, unsigned>>& out, const config_value& value) {
  const auto* table = std::get_if<std::map<std::string, std::int64_t>>(&value);
  const auto good = [](const auto& entry) { return !entry.first.empty() && entry.second >= 2 && entry.second <= 8; };
  if (!table || !std::ranges::all_of(*table, good))
    return "a table from the beginning of a user agent to a number of bytes from 2 to 8";
  out.assign(table->begin(), table->end());
  // The longest prefix wins, whatever the order in the file.
  std::ranges::stable_sort(out, [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  return {};
}

std::string set_token(std::string& out, const config_value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (!text || !(text->empty() || is_token(*text))) return "a string of 8 to 512 printable characters without spaces";
  out = *text;
  return {};
}

std::string set_tag(std::string& out, const config_value& value) {
  const auto* text = std::get_if<std::string>(&value);
  const auto plain = [](unsigned char c) { return c >= 0x20 && c != 0x7f; };
  if (!text || !is_storable(*text, 128) || !std::ranges::all_of(*text, plain))
    return "UTF-8 of at most 128 bytes without control characters";
  out = *text;
  return {};
}

std::string set_database(std::string& out, const config_value& value) {
  const auto* text = std::get_if<std::string>(&value);
  const auto is = [&](std::string_view scheme) { return text->starts_with(scheme) && text->size() > scheme.size(); };
  if (!text || text->find('\0') != std::string::npos ||
      !(is("sqlite:") || text->starts_with("postgresql://") || text->starts_with("postgres://")))
    return "\"sqlite:PATH\" or \"postgresql://...\"";
  out = *text;
  return {};
}

constexpr double day = 86'400;
constexpr std::int64_t mebibyte = 1'048'576;
// Just around 2^-32 and 2^62, between which the library keeps its powers of two.
constexpr double least_difficulty = 2.3e-10;
constexpr double most_difficulty = 4.7e18;

constexpr bool live = true;      // a reload takes the key over
constexpr bool restart = false;  // it needs one

template <class At, class Set, class Show>
config_key key(std::string_view name, bool is_live, At at, Set set, Show show) {
  return {.name = name,
          .is_live = is_live,
          .set = [=](config& c, const config_value& v) { return set(at(c), v); },
          .get = [=](const config& c) { return config_value(show(at(c))); },
          .copy = [=](config& to, const config& from) { at(to) = at(from); }};
}

// A value that is stored as it is written.
template <class At, class Set>
config_key plain(std::string_view name, bool is_live, At at, Set set) {
  return key(name, is_live, at, set, [](const auto& value) { return value; });
}

template <class At>
config_key path(std::string_view name, bool is_live, At at) {
  return key(name, is_live, at, set_path, [](const auto& value) { return value.string(); });
}

template <class At>
config_key number(std::string_view name, bool is_live, At at, std::int64_t low, std::int64_t high) {
  return key(name, is_live, at, [=](auto& out, const config_value& v) { return set_number(out, v, low, high); },
             [](auto value) { return static_cast<std::int64_t>(value); });
}

template <class At>
config_key real(std::string_view name, bool is_live, At at, double low, double high) {
  return plain(name, is_live, at, [=](double& out, const config_value& v) { return set_real(out, v, low, high); });
}

template <class At>
config_key seconds(std::string_view name, bool is_live, At at, double low = 0.001, double high = day) {
  return key(name, is_live, at, [=](milliseconds& out, const config_value& v) { return set_seconds(out, v, low, high); },
             [](milliseconds value) { return static_cast<double>(value.count()) / 1000; });
}

template <class Enum, class At>
config_key word(std::string_view name, bool is_live, At at, const word_list<Enum>& words) {
  return key(name, is_live, at, [=](Enum& out, const config_value& v) { return set_word(out, v, words); },
             [=](Enum value) { return std::string(std::ranges::find(words, value, &word_list<Enum>::value_type::second)->first); });
}

using stratumproxy::listener_options;

std::string begin_listener(std::vector<listener_options>& all, const config_value&) {
  all.emplace_back();
  return {};
}

// As texts that differ when the listeners do.
std::vector<std::string> show_listeners(const std::vector<listener_options>& all) {
  std::vector<std::string> out;
  for (const auto& one : all) out.push_back(fmt::format("{} {} {}", one.address, static_cast<int>(one.tls), fmt::join(one.proxy_protocol_from, " ")));
  return out;
}

// A key of the newest listener. All of them are seen and copied with the key of their section.
template <class Set>
config_key of_listener(std::string_view name, Set set) {
  auto made = key(name, restart, [](auto& c) -> auto& { return c.proxy.more_listeners; },
                  [=](std::vector<listener_options>& all, const config_value& v) { return set(all.back(), v); },
                  [](const auto&) { return std::vector<std::string>(); });
  made.is_repeated = true;
  return made;
}

config_key listeners(std::string_view name) {
  auto made = key(name, restart, [](auto& c) -> auto& { return c.proxy.more_listeners; }, begin_listener, show_listeners);
  made.is_repeated = true;
  return made;
}

#define SPX_AT(member) [](auto& c) -> auto& { return c.member; }

std::vector<config_key> make_keys() {
  using stratumproxy::log_level;
  return {
      plain("config.watch", live, SPX_AT(file.watch), set_flag),

      plain("stratum.addr", restart, SPX_AT(proxy.address), set_address),
      number("stratum.threads", restart, SPX_AT(proxy.threads), 0, 256),
      plain("stratum.proxy_protocol_from", restart, SPX_AT(proxy.proxy_protocol_from), set_networks),
      word<stratumproxy::listener_tls>("stratum.tls", restart, SPX_AT(proxy.tls), words_of_tls()),
      listeners("stratum.listen"),
      of_listener("stratum.listen.addr", [](auto& one, const config_value& v) { return set_address(one.address, v); }),
      of_listener("stratum.listen.proxy_protocol_from", [](auto& one, const config_value& v) { return set_networks(one.proxy_protocol_from, v); }),
      of_listener("stratum.listen.tls", [](auto& one, const config_value& v) { return set_word(one.tls, v, words_of_tls()); }),

      path("tls.certificate", live, SPX_AT(tls.certificate)),
      path("tls.key", live, SPX_AT(tls.key)),

      plain("web.addr", restart, SPX_AT(web.address), set_address),
      path("web.certificate", live, SPX_AT(web.tls.certificate)),
      path("web.key", live, SPX_AT(web.tls.key)),
      plain("web.token", live, SPX_AT(web.token), set_token),
      path("web.token_file", live, SPX_AT(web.token_file)),
      plain("web.allow_open", live, SPX_AT(web.allow_open), set_flag),
      plain("web.hosts", live, SPX_AT(web.hosts), set_hosts),
      word<registration_policy>("web.registration", live, SPX_AT(web.access.registration),
                                {{"open", registration_policy::open}, {"token", registration_policy::token},
                                 {"off", registration_policy::off}}),
      number("web.registrations_per_minute", live, SPX_AT(web.access.registrations.per_minute), 1, 1'000'000),
      number("web.registrations_burst", live, SPX_AT(web.access.registrations.burst), 1, 1'000'000),
      number("web.failed_logins_per_minute", live, SPX_AT(web.access.failed_logins.per_minute), 1, 1'000'000),
      number("web.failed_logins_burst", live, SPX_AT(web.access.failed_logins.burst), 1, 1'000'000),
      number("web.audit_days", live, SPX_AT(web.audit_days), 0, 36'500),

      plain("db.url", restart, SPX_AT(db.url), set_database),
      path("db.migrations", restart, SPX_AT(db.migrations)),

      word<log_level>("log.level", live, SPX_AT(log.level),
                      {{"debug", log_level::debug}, {"info", log_level::info}, {"warning", log_level::warning},
                       {"error", log_level::error}}),
      word<log_format>("log.format", restart, SPX_AT(log.format), {{"text", log_format::text}, {"json", log_format::json}}),

      plain("metrics.tag", restart, SPX_AT(metrics.tag), set_tag),
      seconds("metrics.window_seconds", restart, SPX_AT(proxy.metrics.window)),
      seconds("metrics.interval_seconds", restart, SPX_AT(proxy.metrics.interval)),
      seconds("metrics.flush_seconds", live, SPX_AT(metrics.flush), 0.01, 3'600),
      word<worker_label>("metrics.worker_label", live, SPX_AT(metrics.label),
                         {{"address", worker_label::address}, {"rig", worker_label::rig}}),
      number("metrics.max_workers", live, SPX_AT(metrics.max_workers), 0, 1'000'000),
      number("metrics.history_days", live, SPX_AT(metrics.history_days), 1, 3'650),

      number("accounts.delete_after_days", live, SPX_AT(accounts.delete_after_days), 0, 36'500),
      seconds("accounts.delete_check_seconds", live, SPX_AT(accounts.delete_check), 1),

      path("handover.socket", restart, SPX_AT(handover.socket)),
      seconds("handover.drain_seconds", live, SPX_AT(handover.drain), 0),

      path("record.file", restart, SPX_AT(record.file)),
      number("record.megabytes", restart, SPX_AT(record.megabytes), 1, 1'000'000),

      seconds("session.grace_seconds", live, SPX_AT(proxy.session.grace), 0),
      seconds("session.hold_seconds", live, SPX_AT(proxy.session.hold), 0),
      seconds("session.refresh_seconds", live, SPX_AT(proxy.session.refresh)),
      number("session.max_kept_per_address", live, SPX_AT(proxy.session.max_kept_per_address), 0, 1'000'000),
      number("session.max_kept_per_account", live, SPX_AT(proxy.session.max_kept_per_account), 0, 1'000'000),
      word<session_records>("session.records", restart, SPX_AT(records),
                            {{"auto", session_records::automatic}, {"on", session_records::on}, {"off", session_records::off}}),
      number("session.version_mask", live, SPX_AT(proxy.session.version_mask), 0, 0xffffffff),

      number("split.mark_bytes", live, SPX_AT(proxy.split.mark_bytes), 1, 4),
      number("split.miner_bytes", live, SPX_AT(proxy.split.miner_bytes), 2, 8),
      key("split.by_agent", live, SPX_AT(proxy.split.by_agent), set_agents,
          [](const auto& agents) { return std::map<std::string, std::int64_t>(agents.begin(), agents.end()); }),

      number("upstream.line_bytes", live, SPX_AT(proxy.upstream.line_bytes), 1'024, 16 * mebibyte),
      number("upstream.output_bytes", live, SPX_AT(proxy.upstream.output_bytes), 4'096, 64 * mebibyte),
      number("upstream.connects_per_second", live, SPX_AT(proxy.upstream.connects_per_second), 1, 100'000),
      seconds("upstream.verdict_timeout_seconds", live, SPX_AT(proxy.upstream.verdict_timeout)),
      seconds("upstream.connect_timeout_seconds", live, SPX_AT(proxy.upstream.connect_timeout)),
      seconds("upstream.configure_timeout_seconds", live, SPX_AT(proxy.upstream.configure_timeout)),
      seconds("upstream.handshake_timeout_seconds", live, SPX_AT(proxy.upstream.handshake_timeout)),
      seconds("upstream.silence_seconds", live, SPX_AT(proxy.upstream.silence)),
      seconds("upstream.retry_min_seconds", live, SPX_AT(proxy.upstream.retry_min)),
      seconds("upstream.retry_max_seconds", live, SPX_AT(proxy.upstream.retry_max)),
      seconds("upstream.refusal_min_seconds", live, SPX_AT(proxy.upstream.refusal_min)),
      seconds("upstream.refusal_max_seconds", live, SPX_AT(proxy.upstream.refusal_max)),
      seconds("upstream.share_wait_seconds", live, SPX_AT(proxy.upstream.share_wait), 0),
      seconds("upstream.spread_seconds", live, SPX_AT(proxy.upstream.spread), 0),
      key("upstream.socks5", live, SPX_AT(proxy.upstream.socks5), set_socks5, show_socks5),

      number("shared.max_workers_per_link", live, SPX_AT(proxy.upstream.max_workers_per_link), 1, 65'536),
      seconds("shared.empty_link_seconds", live, SPX_AT(proxy.upstream.empty_link), 0),

      seconds("failover.patience_seconds", live, SPX_AT(proxy.failover.patience), 0.01),
      seconds("failover.no_job_seconds", live, SPX_AT(proxy.failover.no_job), 0.01),
      seconds("failover.stable_seconds", live, SPX_AT(proxy.failover.stable), 0.01),
      seconds("failover.return_max_seconds", live, SPX_AT(proxy.failover.return_max), 0.01),
      number("failover.storm_shares", live, SPX_AT(proxy.failover.storm_shares), 1, 64),
      number("failover.storm_percent", live, SPX_AT(proxy.failover.storm_percent), 1, 100),

      seconds("slices.shortest_seconds", live, SPX_AT(proxy.slices.shortest), 0.01),
      seconds("slices.longest_seconds", live, SPX_AT(proxy.slices.longest), 0.01),
      seconds("slices.idle_limit_seconds", live, SPX_AT(proxy.slices.idle_limit), 0.01),

      real("vardiff.shares_per_minute", live, SPX_AT(proxy.vardiff.shares_per_minute), 0.1, 600),
      real("vardiff.minimum", live, SPX_AT(proxy.vardiff.minimum), least_difficulty, most_difficulty),
      real("vardiff.maximum", live, SPX_AT(proxy.vardiff.maximum), least_difficulty, most_difficulty),
      real("vardiff.first", live, SPX_AT(proxy.vardiff.first), least_difficulty, most_difficulty),

      number("checks.threads", restart, SPX_AT(proxy.checks.threads), 0, 256),
      number("checks.max_queued", live, SPX_AT(proxy.checks.max_queued), 1, 1'000'000),

      number("limits.line_bytes", live, SPX_AT(proxy.limits.line_bytes), 512, mebibyte),
      seconds("limits.first_message_seconds", live, SPX_AT(proxy.limits.first_message)),
      seconds("limits.authorize_seconds", live, SPX_AT(proxy.limits.authorize)),
      seconds("limits.idle_seconds", live, SPX_AT(proxy.limits.idle)),
      number("limits.output_bytes", live, SPX_AT(proxy.limits.output_bytes), 16'384, 64 * mebibyte),
      seconds("limits.output_blocked_seconds", live, SPX_AT(proxy.limits.output_blocked)),
      number("limits.in_flight", live, SPX_AT(proxy.limits.in_flight), 1, 4'096),
      number("limits.error_budget", live, SPX_AT(proxy.limits.error_budget), 1, 1'000'000),
      number("limits.failed_authorizes", live, SPX_AT(proxy.limits.failed_authorizes), 1, 1'000'000),
      number("limits.invalid_ratio_percent", live, SPX_AT(proxy.limits.invalid_ratio_percent), 1, 100),
      number("limits.invalid_minimum", live, SPX_AT(proxy.limits.invalid_minimum), 1, 1'000'000),
      number("limits.unauthorized_per_address", live, SPX_AT(proxy.limits.unauthorized_per_address), 1, 1'000'000),
      seconds("limits.ban_seconds", live, SPX_AT(bans.automatic), 0, 365 * day),
      number("limits.connections", live, SPX_AT(proxy.limits.connections), 0, 10'000'000),
  };
}

#undef SPX_AT

std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

// Two that would listen on one address; or an empty text.
std::string shared_address(const config& settings) {
  std::vector<std::pair<std::string_view, std::string>> wanted = {{"stratum.addr", settings.proxy.address},
                                                                  {"web.addr", settings.web.address}};
  for (const auto& more : settings.proxy.more_listeners) {
    if (more.address.empty()) return "each [[stratum.listen]] needs an addr";
    wanted.emplace_back("an addr of [[stratum.listen]]", more.address);
  }
  std::map<std::string, std::string_view> taken;
  for (const auto& [name, text] : wanted) {
    const auto address = parse_endpoint(text);
    if (!address || address->port == 0) continue;
    const auto [other, is_new] = taken.emplace(address->text(), name);
    if (!is_new) return fmt::format("{} and {} are the same address", other->second, name);
  }
  return {};
}

}  // namespace

std::span<const config_key> config_keys() {
  static const std::vector<config_key> keys = make_keys();
  return keys;
}

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates) {
  std::string_view best;
  std::size_t fewest = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const auto candidate : candidates) {
    if (const auto count = edits(name.substr(0, 64), candidate); count < fewest) {
      fewest = count;
      best = candidate;
    }
  }
  return best;
}

config_change change_of(const config& running, const config& wanted) {
  config_change out{wanted, {}, {}};
  for (const auto& key : config_keys()) {
    const auto runs = key.get(running);
    if (runs == key.get(wanted)) continue;
    (key.is_live ? out.taken : out.needs_restart).emplace_back(key.name);
    if (!key.is_live) key.copy(out.result, running);
  }
  return out;
}

std::string contradiction(const config& settings) {
  const auto& upstream = settings.proxy.upstream;
  if (upstream.retry_min > upstream.retry_max)
    return "upstream.retry_min_seconds is more than upstream.retry_max_seconds";
  if (upstream.refusal_min > upstream.refusal_max)
    return "upstream.refusal_min_seconds is more than upstream.refusal_max_seconds";
  if (settings.proxy.failover.stable > settings.proxy.failover.return_max)
    return "failover.stable_seconds is more than failover.return_max_seconds";
  const auto& slices = settings.proxy.slices;
  if (slices.shortest > slices.longest) return "slices.shortest_seconds is more than slices.longest_seconds";
  // A pool would close its link before the worker's first slice elsewhere is over.
  if (slices.idle_limit <= slices.shortest) return "slices.idle_limit_seconds must be more than slices.shortest_seconds";
  if (settings.proxy.metrics.interval > settings.proxy.metrics.window)
    return "metrics.interval_seconds is more than metrics.window_seconds";
  // The library keeps so many sums of shares for each worker, and would cut the window.
  if (settings.proxy.metrics.window > 8 * settings.proxy.metrics.interval)
    return "metrics.window_seconds is more than eight times metrics.interval_seconds";
  const auto& vardiff = settings.proxy.vardiff;
  if (std::ceil(std::log2(vardiff.minimum)) > std::floor(std::log2(vardiff.maximum)))
    return "no power of two lies between vardiff.minimum and vardiff.maximum";
  if (!settings.web.token.empty() && !settings.web.token_file.empty()) return "web.token and web.token_file are both given";
  if (settings.tls.certificate.empty() != settings.tls.key.empty()) return "tls.certificate and tls.key go together";
  if (settings.web.tls.certificate.empty() != settings.web.tls.key.empty()) return "web.certificate and web.key go together";
  const auto is_only = [](const auto& one) { return one.tls == stratumproxy::listener_tls::only; };
  const bool needs_tls = is_only(settings.proxy) || std::ranges::any_of(settings.proxy.more_listeners, is_only);
  if (needs_tls && settings.tls.certificate.empty()) return "tls = \"only\" under [stratum] needs tls.certificate and tls.key";
  return shared_address(settings);
}

}  // namespace stratumproxyd
