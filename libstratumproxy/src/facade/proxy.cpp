#include "stratumproxy/proxy.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

#include "facade/listening.hpp"
#include "net/shard_thread.hpp"
#include "net/shell.hpp"
#include "stratumproxy/scheduling.hpp"

namespace stratumproxy {
namespace {

constexpr unsigned max_shards = 256;
constexpr std::chrono::seconds answer_limit{5};

unsigned shard_count(const options& config) {
  const unsigned wanted = config.threads != 0 ? config.threads : std::thread::hardware_concurrency();
  return std::clamp(wanted, 1u, max_shards);
}

}  // namespace

struct proxy::impl {
  impl(options given, account_source& from, log_sink& to, metrics::sink* listener, line_tap* hears, session_store* records)
      : accounts(from), log(to), sink(listener), tap(hears), sessions(records), config(std::move(given)) {}

  std::error_code start(listening_sockets inherited);
  void stop_listening();
  void stop();
  template <class T, class... Details>
  [[nodiscard]] std::vector<std::future<T>> ask(std::future<T> (net::shard_thread::*question)(Details...), Details... details);
  [[nodiscard]] std::optional<std::future<metrics::snapshot>> snapshot_of(unsigned index, metrics::scope what);

  account_source& accounts;
  log_sink& log;
  metrics::sink* const sink;
  line_tap* const tap;
  session_store* const sessions;

  std::mutex mutex;  // of what follows
  options config;
  facade::listening open;
  std::shared_ptr<const ban_list> bans;
  std::shared_ptr<const tls_certificate> certificate;
  std::unique_ptr<net::shell> shell;
  std::vector<std::unique_ptr<net::shard_thread>> shards;
};

std::error_code proxy::impl::start(listening_sockets inherited) try {
  const std::lock_guard lock(mutex);
  if (shell) return {};
  const unsigned count = shard_count(config);
  auto bound = facade::listening::open(config, count, std::move(inherited));
  if (!bound) return bound.error();

  auto common = std::make_unique<net::shell>(config, accounts, log, sink, tap, sessions);
  common->bans = bans;
  common->certificate = certificate;
  for (unsigned i = 0; i < count; ++i) common->mailboxes.push_back(std::make_shared<net::shard_mailbox>());
  std::vector<std::unique_ptr<net::shard_thread>> made;
  for (unsigned i = 0; i < count; ++i)
    made.push_back(std::make_unique<net::shard_thread>(*common, i, bound->of_shard(i)));
  for (const auto& one : made) one->start();
  shell = std::move(common);
  shards = std::move(made);
  open = std::move(*bound);
  return {};
} catch (const std::system_error& error) {
  return error.code();
}

void proxy::impl::stop_listening() {
  const std::lock_guard lock(mutex);
  open.close();
}

void proxy::impl::stop() {
  const std::lock_guard lock(mutex);
  open.close();
  shards.clear();
  shell.reset();
}

template <class T, class... Details>
std::vector<std::future<T>> proxy::impl::ask(std::future<T> (net::shard_thread::*question)(Details...), Details... details) {
  const std::lock_guard lock(mutex);
  std::vector<std::future<T>> answers;
  for (const auto& shard : shards) answers.push_back((*shard.*question)(details...));
  return answers;
}

// Nothing when it was stopped meanwhile.
std::optional<std::future<metrics::snapshot>> proxy::impl::snapshot_of(unsigned index, metrics::scope what) {
  const std::lock_guard lock(mutex);
  if (index >= shards.size()) return std::nullopt;
  return shards[index]->snapshot(what);
}

proxy::proxy(options config, account_source& accounts, log_sink& log, metrics::sink* sink, line_tap* tap, session_store* sessions)
    : impl_(std::make_unique<impl>(std::move(config), accounts, log, sink, tap, sessions)) {}

proxy::~proxy() { stop(); }

std::error_code proxy::start(listening_sockets inherited) { return impl_->start(std::move(inherited)); }

std::string proxy::address() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->open.addresses().empty() ? std::string() : impl_->open.addresses().front();
}

std::vector<std::string> proxy::addresses() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->open.addresses();
}

listening_sockets proxy::listeners() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->shell ? impl_->open.duplicates() : listening_sockets{};
}

void proxy::stop_accepting() {
  const std::lock_guard lock(impl_->mutex);
  impl_->open.close();
  for (const auto& shard : impl_->shards) shard->stop_accepting();
}

bool proxy::drain(std::chrono::milliseconds limit) try {
  const time_point deadline = steady_clock::now() + limit;
  impl_->stop_listening();
  for (auto& drained : impl_->ask(&net::shard_thread::drain)) {
    if (drained.wait_until(deadline) != std::future_status::ready) return false;
    drained.get();
  }
  return true;
} catch (const std::future_error&) {
  return false;  // stopped meanwhile
}

void proxy::stop() { impl_->stop(); }

void proxy::account_changed(const std::string& name, std::shared_ptr<const account> now_is) {
  const std::lock_guard lock(impl_->mutex);
  for (const auto& shard : impl_->shards) shard->account_changed(name, now_is);
}

std::optional<bool> proxy::disconnect(const std::string& worker, const std::string& words) try {
  const time_point deadline = steady_clock::now() + answer_limit;
  auto answers = impl_->ask(&net::shard_thread::disconnect, worker, words);
  if (answers.empty()) return std::nullopt;
  bool is_there = false, is_complete = true;
  for (auto& answer : answers) {
    if (answer.wait_until(deadline) != std::future_status::ready) is_complete = false;
    else is_there |= answer.get();
  }
  if (is_there) return true;
  return is_complete ? std::optional(false) : std::nullopt;
} catch (const std::future_error&) {
  return std::nullopt;  // stopped meanwhile
}

move_outcome proxy::move_worker(const std::string& worker, std::shared_ptr<const account> to) try {
  const time_point deadline = steady_clock::now() + answer_limit;
  auto answers = impl_->ask(&net::shard_thread::move_worker, worker, std::move(to));
  auto outcome = answers.empty() ? move_outcome::unavailable : move_outcome::unknown_worker;
  for (auto& answer : answers) {
    const bool is_ready = answer.wait_until(deadline) == std::future_status::ready;
    const auto here = is_ready ? answer.get() : move_outcome::unavailable;
    if (here == move_outcome::unknown_worker) continue;
    if (is_ready) return here;  // only one shard can have it
    outcome = here;
  }
  return outcome;
} catch (const std::future_error&) {
  return move_outcome::unavailable;  // stopped meanwhile
}

void proxy::set_bans(std::shared_ptr<const ban_list> bans) {
  const std::lock_guard lock(impl_->mutex);
  for (const auto& shard : impl_->shards) shard->bans_changed(bans);
  impl_->bans = std::move(bans);
}

void proxy::set_options(options now_are) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->shell) impl_->shell->set_options(now_are);
  const auto shared = std::make_shared<const options>(now_are);
  for (const auto& shard : impl_->shards) shard->set_options(shared);
  impl_->config = std::move(now_are);
}

void proxy::set_certificate(std::shared_ptr<const tls_certificate> now_is) {
  const std::lock_guard lock(impl_->mutex);
  for (const auto& shard : impl_->shards) shard->certificate_changed(now_is);
  impl_->certificate = std::move(now_is);
}

std::vector<std::string> proxy::take_offenders(unsigned closes) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->shell ? impl_->shell->offended.take(closes, steady_clock::now()) : std::vector<std::string>{};
}

unsigned proxy::shards() const {
  const std::lock_guard lock(impl_->mutex);
  return static_cast<unsigned>(impl_->shards.size());
}

metrics::snapshot proxy::snapshot(metrics::scope what) try {
  const time_point deadline = steady_clock::now() + answer_limit;
  std::vector<metrics::snapshot> parts;
  const unsigned count = shards();
  // One after the other: at once they would keep all cores from everybody else while they copy.
  for (unsigned index = 0; index < count; ++index) {
    auto part = impl_->snapshot_of(index, what);
    // Half of the shards would look as if counters had fallen: all or nothing.
    if (!part || part->wait_until(deadline) != std::future_status::ready) return {};
    parts.push_back(part->get());
  }
  // Rows that moved once more would keep the core for that long.
  metrics::snapshot all;
  const auto sum = [&](auto rows) {
    return std::transform_reduce(parts.begin(), parts.end(), std::size_t{0}, std::plus<>{}, [&](const auto& part) { return (part.*rows).size(); });
  };
  all.workers.reserve(sum(&metrics::snapshot::workers));
  all.links.reserve(sum(&metrics::snapshot::links));
  for (auto& part : parts) all.merge(std::move(part), pace);
  return all;
} catch (const std::future_error&) {
  return {};  // stopped meanwhile
}

}  // namespace stratumproxy
