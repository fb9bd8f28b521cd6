#include "daemon.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <stratumproxy/proxy.hpp>
#include <stratumproxy/scheduling.hpp>

#include "admin/access.hpp"
#include "admin/access_upkeep.hpp"
#include "admin/api.hpp"
#include "admin/http_server.hpp"
#include "admin/tokens.hpp"
#include "ban_keeper.hpp"
#include "certificate_files.hpp"
#include "config_keys.hpp"
#include "endpoint.hpp"
#include "event_log.hpp"
#include "exporter.hpp"
#include "file_watch.hpp"
#include "handover/predecessor.hpp"
#include "handover/successor_gate.hpp"
#include "line_recorder.hpp"
#include "process_stats.hpp"
#include "session_keeper.hpp"
#include "store/account_watcher.hpp"
#include "store/cached_accounts.hpp"
#include "store/store.hpp"
#include "store_monitor.hpp"
#include "totals_flusher.hpp"
#include "upkeep.hpp"
#include "worker_history.hpp"

namespace stratumproxyd {
namespace {

using stratumproxy::log_level;

constexpr std::chrono::seconds drain_limit{10};
constexpr std::chrono::seconds tag_patience{10};
constexpr std::chrono::seconds account_patience{5};
constexpr unsigned closes_of_an_offender = 10;

std::string token_of(const config& settings) {
  return settings.web.token_file.empty() ? settings.web.token : read_token(settings.web.token_file);
}

std::chrono::seconds ban_time_of(const config& settings) { return std::chrono::ceil<std::chrono::seconds>(settings.bans.automatic); }

upkeep::options upkeep_of(const config& settings) {
  return {.keep_history = std::chrono::days(settings.metrics.history_days),
          .delete_after = std::chrono::days(settings.accounts.delete_after_days),
          .delete_every = std::chrono::ceil<std::chrono::seconds>(settings.accounts.delete_check)};
}

void check_exposure(const config& settings, const endpoint& web, const std::string& token, const known_tokens& tokens) {
  if (!token.empty() || tokens.had_rows() || settings.web.allow_open || web.is_loopback()) return;
  throw std::runtime_error(fmt::format("web.addr {} can be reached from elsewhere and there is no token: give --web.token-file FILE, "
                                       "or listen on 127.0.0.1, or set allow_open = true under [web]", web.text()));
}

std::string cannot_listen(const stratumproxy::options& settings, const std::error_code& error) {
  if (settings.more_listeners.empty())
    return fmt::format("cannot listen on stratum.addr {}: {}; choose another with --stratum.addr", settings.address, error.message());
  std::string wanted = settings.address;
  for (const auto& more : settings.more_listeners) wanted += ", " + more.address;
  return fmt::format("cannot listen on all of {}: {}; choose others under [stratum] and [[stratum.listen]]", wanted, error.message());
}

bool keeps_sessions(const config& settings) {
  if (settings.records == session_records::automatic) return settings.db.url.starts_with("postgres");
  return settings.records == session_records::on;
}

std::string cannot_inherit(const std::error_code& error) {
  return fmt::format("cannot use the sockets that were passed as \"stratum\": {}; they must listen on TCP, and [[stratum.listen]] must be "
                     "there for each but the first", error.message());
}

// The database notices at once that a proxy was killed, but needs some seconds when its host was lost.
void hold_tag(store& database, const std::string& tag, event_log& log) {
  const auto deadline = std::chrono::steady_clock::now() + tag_patience;
  for (bool told = false;; told = true) try {
    return database.hold_tag(tag);
  } catch (const tag_taken& error) {
    if (std::chrono::steady_clock::now() >= deadline)
      throw std::runtime_error(fmt::format("{}; stop that one, or give this one a --metrics.tag of its own", error.what()));
    if (!told) log.write(log_level::warning, "tag_taken", fmt::format("{}; waiting for it, {} s at most", error.what(), tag_patience.count()));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

/// The way to the proxy of those who find out that accounts changed: they are there before it, and after it.
class account_moves {
 public:
  void lead_to(stratumproxy::proxy* target) {
    const std::lock_guard lock(mutex_);
    target_ = target;
  }
  void account_changed(const std::string& name, const std::shared_ptr<const stratumproxy::account>& now_is) {
    const std::lock_guard lock(mutex_);
    if (target_) target_->account_changed(name, now_is);
  }

 private:
  std::mutex mutex_;
  stratumproxy::proxy* target_ = nullptr;
};

struct lead_nowhere {
  void operator()(account_moves* moves) const { moves->lead_to(nullptr); }
};

moment wall_clock() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

}  // namespace

class daemon::impl final : public handover_host {
 public:
  impl(const config& settings, std::function<config()> reread, std::function<void()> on_retired, inherited_sockets inherited)
      : log_(settings.log), reread_(std::move(reread)), on_retired_(std::move(on_retired)), running_(settings), series_(settings.metrics) {
    watch_file(settings.file.path);
    // What is wrong with the configuration is said before the database is touched, but for what depends on its tokens.
    const auto token = token_of(settings);
    const auto certificate = read_certificate(settings.tls, "tls");
    const auto web_certificate = read_certificate(settings.web.tls, "web");
    warn_about(settings);
    warn_about(settings.tls, certificate.get());
    warn_about(settings.web.tls, web_certificate.get());
    // A service that always asks starts after a crash, too.
    if (settings.handover.take_over) try {
      predecessor_.emplace(settings.handover.socket);
      inherited = predecessor_->sockets_for(settings);
    } catch (const nobody_answers& why) {
      log_.write(log_level::info, "takeover_unneeded", why.what());
    }
    listen_for_http(settings, std::move(inherited.web));
    const auto web = http_.address();

    database_ = open_store(settings.db.url, migrations_directory(settings.db).string());
    access_upkeep_.emplace(database_->access(), tokens_, log_);
    check_exposure(settings, web, token, tokens_);
    tag_ = settings.metrics.tag;
    if (!tag_.empty()) take_tag();  // before the first miner comes
    account_cache_options cache;
    cache.on_change = [this](const auto& name, const auto& now_is) { moves_.account_changed(name, now_is); };
    accounts_.emplace(*database_, std::move(cache));
    access_.emplace(http_.address(), settings.web.hosts, tokens_);
    set_access(settings, token);
    access_upkeep_->start();

    if (!settings.record.file.empty()) {
      recorder_.emplace(settings.record, log_);
      log_.write(log_level::warning, "recording", fmt::format("every line of every conversation, into {}", recorder_->file().string()));
    }
    if (keeps_sessions(settings)) sessions_.emplace(database_->sessions(), log_);
    proxy_.emplace(settings.proxy, *accounts_, log_, nullptr, recorder_ ? &*recorder_ : nullptr, sessions_ ? &*sessions_ : nullptr);
    (void)serve_with(certificate, web_certificate);
    bans_.emplace(*database_, log_, [this](auto bans) { proxy_->set_bans(std::move(bans)); },
                  ban_keeper_options{.automatic = ban_time_of(settings),
                                     .offenders = [this] { return proxy_->take_offenders(closes_of_an_offender); }});
    const bool is_inherited = !predecessor_ && !inherited.stratum.empty();
    if (const auto error = proxy_->start(std::move(inherited.stratum)))
      throw std::runtime_error(is_inherited ? cannot_inherit(error) : cannot_listen(settings.proxy, error));
    moves_.lead_to(&*proxy_);
    moving_.reset(&moves_);
    watcher_.emplace(database_->changes(), *accounts_);
    if (tag_.empty()) {
      tag_ = proxy_->address();
      take_tag();
    }
    flusher_.emplace(*database_, tag_, [this] { return totals(); }, log_, wall_clock);
    const auto take = [this](stratumproxy::metrics::scope what) { return snapshot(what); };
    upkeep_.emplace(*database_, upkeep_of(settings), take, [this](const std::string& name) { accounts_->forget(name); }, log_);
    start_flushing();
    worker_history_.start(take, wall_clock);
    monitor_.emplace(*database_, log_);

    http_.set_guard([this](http_request& request) { return access_->check(request); });
    add_routes(http_, {.database = *database_,
                       .log = log_,
                       .tokens = tokens_,
                       .events = log_.recent(),
                       .on_changed = [this](const std::string& name) { accounts_->forget(name); },
                       .stratum_address = [this] { return proxy_->address(); },
                       .database_up = [this] { return monitor_->is_up(); },
                       .ready = [this] { return !draining_; },
                       .has_tag = [this] { return flusher_->has_tag(); },
                       .metrics = [this] { return metrics_page(); },
                       .snapshot = [this](stratumproxy::metrics::scope what) { return readable_snapshot(what); },
                       .now = wall_clock,
                       .worker_rates = worker_history_,
                       .live = live_operations()});
    // Before the other one retires: from then on nothing may fail any more.
    if (!settings.handover.socket.empty()) gate_.emplace(settings.handover.socket, predecessor_.has_value(), *this, log_);
    if (predecessor_) predecessor_->retire();
    http_.start();
    if (watch_) watch_->start([this] { file_changed(); });
    if (gate_) gate_->start();
    log_.write(log_level::info, predecessor_ ? "took_over" : "started", fmt::format("version {} {}", stratumproxy::version(), ready_addresses()));
  }

  ~impl() override {
    gate_.reset();
    watch_.reset();
    http_.stop();
    worker_history_.stop();
    if (flusher_) flusher_->stop();
    predecessor_.reset();
    monitor_.reset();
    access_upkeep_.reset();
    bans_.reset();
    watcher_.reset();
    if (proxy_) proxy_->stop();
  }

  [[nodiscard]] std::string ready_addresses() const {
    auto text = fmt::format("stratum={} web={}", proxy_->address(), http_.address().text());
    const auto bound = proxy_->addresses();
    for (std::size_t i = 1; i < bound.size(); ++i) text += (i == 1 ? " listen=" : ",") + bound[i];
    return text;
  }

  reload_outcome reload() {
    const std::lock_guard lock(reloading_);
    if (draining_) return {"the proxy stops", {}, {}};
    reload_outcome outcome;
    try {
      outcome = take_over(reread_());
    } catch (const std::exception& why) {
      outcome.error = why.what();
      log_.write(log_level::error, "reload_refused", outcome.error);
    }
    reload_ok_ = outcome.error.empty();
    reload_error_ = outcome.error;
    reloaded_at_ = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
    return outcome;
  }

  [[nodiscard]] bool is_retired() const noexcept { return retired_; }

  void hurry() {
    const std::lock_guard lock(leaving_);
    hurry_ = true;
    hurried_.notify_all();
  }

  // Until the workers and those before this one are gone, or their time is over.
  void await_leaving() {
    if (!retired_) return;
    const auto deadline = std::chrono::steady_clock::now() + drain_time();
    const auto is_empty = [this] {
      const auto now = readable_snapshot(stratumproxy::metrics::scope::totals);
      return now && now->connections == 0 && (!predecessor_ || predecessor_->is_gone());
    };
    std::unique_lock lock(leaving_);
    while (!hurry_ && std::chrono::steady_clock::now() < deadline) {
      lock.unlock();
      const bool has_left = is_empty();
      lock.lock();
      if (has_left) return;
      hurried_.wait_for(lock, std::chrono::milliseconds(200), [this] { return hurry_; });
    }
  }

  void drain() {
    if (gate_ && !retired_) gate_->stop();
    draining_ = true;
    log_.write(log_level::info, "draining", "");
    const bool all_left = proxy_->drain(drain_limit);
    flusher_->stop();
    if (predecessor_) predecessor_->stop();
    const bool written = flush_the_rest();
    if (written) upkeep_->finish(wall_clock());
    if (sessions_) sessions_->flush();
    log_.write(all_left && written ? log_level::info : log_level::warning, "stopped",
               fmt::format("{}{}", all_left ? "all workers left in order" : "some workers were cut off",
                           written ? "" : "; the last totals are not in the database"));
  }

 private:
  // --- of the handover, on the gate's thread ---

  offered_place what_is_offered() override {
    auto sockets = proxy_->listeners();
    const std::lock_guard lock(reloading_);
    offered_place offered{{}, {running_.web.address, {}}, tag_};
    for (std::size_t i = 0; i < sockets.size(); ++i) {
      const auto& configured = i == 0 ? running_.proxy.address : running_.proxy.more_listeners[i - 1].address;
      offered.stratum.push_back({configured, std::move(sockets[i])});
    }
    offered.web.sockets.push_back(http_.listener());
    return offered;
  }

  bool release_tag() override {
    flusher_->stop();
    if (flusher_->release()) return true;
    start_flushing();
    return false;
  }

  void keep_tag() override { start_flushing(); }

  void retire() override {
    proxy_->stop_accepting();
    http_.retire();
    draining_ = true;
  }

  void leave(bool has_released_tag) override {
    if (has_released_tag) {
      flusher_->give_to([this](const total_record& row) { return gate_->send(row); });
      const std::lock_guard lock(reloading_);
      flusher_->start(running_.metrics.flush);
    }
    retired_ = true;
    on_retired_();
  }

  // Nobody serves any more: its workers find that out as they have to leave.
  void successor_ended() override { hurry(); }

  // --- ends ---

  std::chrono::milliseconds drain_time() {
    const std::lock_guard lock(reloading_);
    return running_.handover.drain;
  }

  // A successor that ended a moment ago may still have the tag.
  bool flush_the_rest() {
    const auto deadline = std::chrono::steady_clock::now() + tag_patience;
    while (!flusher_->flush()) {
      if (!retired_ || std::chrono::steady_clock::now() >= deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return true;
  }

  void start_flushing() {
    const std::lock_guard lock(reloading_);
    flusher_->start(running_.metrics.flush, [this] { upkeep_->tend(wall_clock()); });
  }

  void take_tag() {
    if (predecessor_) predecessor_->release_tag(tag_);
    hold_tag(*database_, tag_, log_);
  }

  std::vector<stratumproxy::metrics::total_row> totals() {
    auto rows = snapshot(stratumproxy::metrics::scope::totals).totals;
    if (predecessor_) predecessor_->add_totals(rows);
    return rows;
  }

  void listen_for_http(const config& settings, stratumproxy::unique_fd inherited) {
    const bool is_inherited = static_cast<bool>(inherited);
    const auto wanted = *parse_endpoint(settings.web.address);
    const auto error = is_inherited ? http_.adopt(std::move(inherited)) : http_.bind(wanted);
    if (!error) return;
    throw std::runtime_error(is_inherited ? fmt::format("cannot use the socket that was passed as \"web\": {}", error.message())
                                          : fmt::format("cannot listen on web.addr {}: {}; choose another with --web.addr", wanted.text(),
                                                        error.message()));
  }

  // True when the token is another one than before.
  bool set_access(const config& settings, const std::string& token) {
    access_->set_policy(settings.web.access);
    access_->set_hosts(settings.web.hosts);
    access_upkeep_->keep_audit(std::chrono::days(settings.web.audit_days));
    return tokens_.set_file_token(token);
  }

  using certificate_pointer = std::shared_ptr<const stratumproxy::tls_certificate>;

  // The keys of those that are others than before.
  std::vector<const char*> serve_with(const certificate_pointer& for_miners, const certificate_pointer& for_web) {
    proxy_->set_certificate(for_miners);
    http_.set_certificate(for_web);
    std::vector<const char*> others;
    const auto note = [&](std::string& served, const certificate_pointer& now_is, const char* key) {
      const auto before = std::exchange(served, now_is ? now_is->fingerprint() : std::string());
      if (before != served) others.push_back(key);
    };
    note(certificate_served_, for_miners, "tls.certificate");
    note(web_certificate_served_, for_web, "web.certificate");
    return others;
  }

  // All or nothing: what may be wrong is found before anything is changed.
  reload_outcome take_over(const config& wanted) {
    const auto token = token_of(wanted);
    const auto certificate = read_certificate(wanted.tls, "tls");
    const auto web_certificate = read_certificate(wanted.web.tls, "web");
    check_exposure(wanted, http_.address(), token, tokens_);
    auto [result, taken, needs_restart] = change_of(running_, wanted);
    // Such as no certificate, while the listeners go on to want TLS.
    if (const auto wrong = contradiction(result); !wrong.empty())
      throw config_error(fmt::format("{}, as long as what needs a restart is not changed: {}", wrong, fmt::join(needs_restart, ", ")));
    warn_about(wanted);
    warn_about(wanted.tls, certificate.get());
    warn_about(wanted.web.tls, web_certificate.get());

    running_ = std::move(result);
    const bool is_token_new = set_access(running_, token);
    log_.set_level(running_.log.level);
    proxy_->set_options(running_.proxy);
    const auto other_certificates = serve_with(certificate, web_certificate);
    bans_->set_automatic(ban_time_of(running_));
    upkeep_->set(upkeep_of(running_));
    flusher_->set_interval(running_.metrics.flush);
    {
      const std::lock_guard lock(scrape_);
      series_.set(running_.metrics);
    }

    const auto is_said = [&](const char* key) { return std::ranges::find(taken, key) != taken.end(); };
    for (const char* key : other_certificates)
      if (!is_said(key)) taken.emplace_back(key);
    if (is_token_new && !is_said("web.token") && !is_said("web.token_file")) taken.emplace_back("web.token_file");
    log_.write(log_level::info, "reloaded", taken.empty() ? "nothing has changed" : fmt::format("{}", fmt::join(taken, ", ")));
    if (!needs_restart.empty()) log_.write(log_level::warning, "restart_needed", fmt::format("{}", fmt::join(needs_restart, ", ")));
    needs_restart_ = needs_restart;
    return {{}, std::move(taken), std::move(needs_restart)};
  }

  // Changes count from the moment on at which the file was read, or from the one after.
  void watch_file(const std::filesystem::path& file) try {
    if (!file.empty()) watch_.emplace(file);
  } catch (const std::system_error& error) {
    log_.write(log_level::warning, "config_not_watched", error.what());
  }

  void file_changed() {
    {
      const std::lock_guard lock(reloading_);
      if (!running_.file.watch) return;
    }
    (void)reload();
  }

  operations live_operations() {
    return {.disconnect = [this](const auto& worker, const auto& words) { return proxy_->disconnect(worker, words); },
            .move_worker = [this](const auto& worker, auto to) { return proxy_->move_worker(worker, std::move(to)); },
            .find_account = [this](const auto& name) { return find_account(name); },
            .bans_written = [this] { bans_->refresh(); },
            .status = [this] { return status(); },
            .reload = [this] { return reload(); }};
  }

  stratumproxy::account_lookup find_account(const std::string& name) {
    auto answer = std::make_shared<std::promise<stratumproxy::account_lookup>>();
    auto found = answer->get_future();
    accounts_->find(name, [answer](stratumproxy::account_lookup one) { answer->set_value(std::move(one)); });
    if (found.wait_for(account_patience) != std::future_status::ready) return {};
    return found.get();
  }

  daemon_status status() {
    const auto process = read_process_stats();
    const std::lock_guard lock(reloading_);
    return {.version = stratumproxy::version(), .tag = tag_, .stratum = proxy_->address(), .web = http_.address().text(),
            .uptime_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count(),
            .shards = proxy_->shards(), .bans = bans_->size(), .open_descriptors = process.open_fds,
            .descriptor_limit = process.max_fds, .reloaded_at = reloaded_at_, .reload_error = reload_error_, .needs_restart = needs_restart_};
  }

  void warn_about(const config& settings) {
    if (!settings.web.token_file.empty() && is_world_readable(settings.web.token_file))
      log_.write(log_level::warning, "token_file_world_readable", settings.web.token_file.string());
  }

  void warn_about(const tls_files& files, const stratumproxy::tls_certificate* certificate) {
    for (const auto& each : warnings_about(files, certificate, std::chrono::system_clock::now()))
      log_.write(log_level::warning, each.event, each.text);
  }

  // A snapshot without any event was not taken: a proxy that runs counts some from its start.
  stratumproxy::metrics::snapshot snapshot(stratumproxy::metrics::scope what = stratumproxy::metrics::scope::everything) {
    auto taken = proxy_->snapshot(what);
    if (taken.events.empty()) throw std::runtime_error("a shard does not answer");
    return taken;
  }

  std::optional<stratumproxy::metrics::snapshot> readable_snapshot(stratumproxy::metrics::scope what) try {
    return snapshot(what);
  } catch (const std::runtime_error& error) {
    log_.write(log_level::error, "metrics_not_read", error.what());
    return std::nullopt;
  }

  // Nothing rather than a page on which every counter has fallen.
  std::optional<std::string> metrics_page() try {
    // One at a time: the memory of one page is enough.
    const std::lock_guard lock(scrape_);
    auto now = snapshot();
    const auto committed = flusher_->committed();
    auto workers = series_.update(now.workers);
    auto page = exposition({.tag = tag_, .version = stratumproxy::version(), .now = now, .workers = workers, .committed = committed,
                            .process = read_process_stats(), .database_up = monitor_->is_up(), .has_tag = flusher_->has_tag(),
                            .reload_ok = reload_ok_, .http_answers = http_.answered(), .http_failed_logins = access_->failed_logins()});
    stratumproxy::clear_at_pace(workers.up);
    stratumproxy::clear_at_pace(workers.series);
    stratumproxy::clear_at_pace(now.workers);
    return page;
  } catch (const std::runtime_error& error) {
    log_.write(log_level::error, "metrics_not_read", error.what());
    return std::nullopt;
  }

  // In the order of their lives: what is made later uses what was made before.
  event_log log_;
  const std::function<config()> reread_;
  const std::function<void()> on_retired_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::mutex reloading_;  // guards what follows
  config running_;        // what was given, with the live keys as they are now
  std::string reloaded_at_, reload_error_;
  std::vector<std::string> needs_restart_;
  std::unique_ptr<store> database_;
  account_moves moves_;
  std::optional<cached_accounts> accounts_;
  std::optional<line_recorder> recorder_;
  std::optional<session_keeper> sessions_;
  std::optional<predecessor> predecessor_;
  std::optional<stratumproxy::proxy> proxy_;
  std::optional<ban_keeper> bans_;
  std::unique_ptr<account_moves, lead_nowhere> moving_;
  std::optional<account_watcher> watcher_;
  std::string tag_;
  std::optional<upkeep> upkeep_;
  std::optional<totals_flusher> flusher_;
  worker_history worker_history_;
  std::optional<store_monitor> monitor_;
  known_tokens tokens_;
  std::string certificate_served_, web_certificate_served_;  // fingerprints; "" for none
  std::optional<access_upkeep> access_upkeep_;
  std::optional<access_rules> access_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> reload_ok_{true};
  std::mutex scrape_;
  worker_series series_;  // under scrape_
  http_server http_;
  std::optional<file_watch> watch_;
  std::atomic<bool> retired_{false};
  std::mutex leaving_;  // guards hurry_
  std::condition_variable hurried_;
  bool hurry_ = false;
  std::optional<successor_gate> gate_;
};

daemon::daemon(const config& settings, std::function<config()> reread, std::function<void()> on_retired, inherited_sockets inherited)
    : impl_(std::make_unique<impl>(settings, std::move(reread), std::move(on_retired), std::move(inherited))) {}
daemon::~daemon() = default;
std::string daemon::ready_line() const { return "stratumproxyd ready " + impl_->ready_addresses(); }
void daemon::reload() { (void)impl_->reload(); }
bool daemon::is_retired() const { return impl_->is_retired(); }
void daemon::await_leaving() { impl_->await_leaving(); }
void daemon::drain() { impl_->drain(); }
void daemon::hurry() { impl_->hurry(); }

}  // namespace stratumproxyd
