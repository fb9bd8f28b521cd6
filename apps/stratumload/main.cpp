#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include "address.hpp"
#include "bench.hpp"
#include "certificate.hpp"
#include "figures.hpp"
#include "miners.hpp"
#include "pool.hpp"
#include "progress.hpp"
#include "replay.hpp"
#include "stratumproxy/version.hpp"

namespace {

using namespace stratumload;

constexpr int faults_found = 1, bad_start = 2;
constexpr double longest_run = 7 * 24 * 3600.0;

void print(const figures& values, bool json) {
  const auto text = json ? values.json() : values.table();
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void add_pool_options(CLI::App& app, pool_options& options) {
  app.add_option("--extranonce1-bytes", options.extranonce1_bytes, "bytes of a connection's extranonce1")
      ->check(CLI::Range(2, 16))
      ->capture_default_str();
  app.add_option("--extranonce2-size", options.extranonce2_size, "bytes of extranonce2")
      ->check(CLI::Range(2, 16))
      ->capture_default_str();
  app.add_option("--difficulty", options.difficulty, "difficulty of every share")
      ->check(CLI::Range(1e-10, 1e18))
      ->capture_default_str();
  app.add_option("--job-seconds", options.job_seconds, "a new job so often; 0: never")
      ->check(CLI::Range(0.0, 86'400.0))
      ->capture_default_str();
  app.add_option("--reject-percent", options.reject_percent, "part of the good shares that is rejected")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
}

void add_certificate_options(CLI::App& app, std::string& certificate, std::string& key) {
  auto* chain = app.add_option("--certificate", certificate, "PEM file of whoever serves TLS here")->type_name("FILE");
  chain->needs(app.add_option("--key", key, "its private key, a PEM file")->type_name("FILE")->needs(chain));
}

void add_miner_options(CLI::App& app, miners_options& options) {
  app.add_option("--workers", options.workers, "simulated workers")->check(CLI::Range(1, 65'536))->capture_default_str();
  app.add_option("--logins-at-once", options.logins_at_once, "connections on their way at any moment")
      ->check(CLI::Range(1, 65'536))
      ->capture_default_str();
  app.add_flag("--tls", options.tls, "the miners speak TLS, and take any certificate");
  auto* rate = app.add_option("--shares-per-second", options.shares_per_second,
                              "open loop: so many shares of all workers together, whatever the verdicts do")
                   ->check(CLI::Range(0.001, 1e6));
  app.add_flag_function(
         "--closed", [](std::int64_t) {}, "closed loop: a new share as soon as the verdict is there (the default)")
      ->excludes(rate);
  app.add_option("--window", options.window, "closed loop: shares of a worker without a verdict")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
}

int run_pool(const std::string& listen, pool_options options, double seconds, bool json) {
  const auto limit = raise_descriptor_limit();
  options.connections = limit > 128 ? limit - 64 : 64;
  event_loop loop;
  const int listener = listen_at(resolve(listen));
  // For scripts that asked for port 0.
  fmt::print("stratumload pool ready stratum={}\n", bound_address(listener).text());
  std::fflush(stdout);
  pool simulated(loop, listener, options, nullptr);
  progress line;
  const auto end = seconds > 0 ? now() + seconds_of(seconds) : time_point::max();
  for (auto at = now(); at < end && !interrupted(); at = now()) {
    const auto& counted = simulated.counters();
    if (line.due(at))
      line.show(fmt::format("{} connections, {} jobs, {} accepted, {} rejected", simulated.links(), counted.jobs,
                            counted.accepted, counted.rejected()),
                at);
    const auto wake = std::min(end, simulated.settle());
    loop.run_once(std::min<nanoseconds>(wake - at, milliseconds{500}));
  }
  line.clear();
  const auto& counted = simulated.counters();
  figures values;
  values.add("connections", "connections", counted.connections);
  values.add("logins", "logins", counted.logins);
  values.add("jobs", "jobs", counted.jobs);
  values.add("accepted", "accepted", counted.accepted);
  values.add("rejected", "rejected", counted.rejected());
  values.add("rejected_as_asked", "  as --reject-percent says", counted.chosen);
  values.add("stale", "  job not found", counted.stale);
  values.add("duplicate", "  duplicate", counted.duplicate);
  values.add("malformed", "  malformed or unauthorized", counted.malformed);
  print(values, json);
  return EXIT_SUCCESS;
}

int run_miners(const std::string& connect, const miners_options& options, double seconds, std::uint64_t shares, bool json) {
  if (options.workers + 64 > raise_descriptor_limit())
    throw std::runtime_error("more workers than descriptors are allowed: see ulimit -n");
  event_loop loop;
  miners farm(loop, resolve(connect), options, nullptr);
  const auto began = now();
  const auto in = farm.log_in(seconds_of(60));
  const auto login_took = in_seconds(now() - began);
  const auto mining_began = now();
  if (in > 0) farm.mine(seconds_of(seconds), shares);
  const auto took = in_seconds(now() - mining_began);
  const auto ended_in_time = farm.counters().accepted + farm.counters().rejected + farm.counters().unknown;
  farm.drain(seconds_of(10));

  const auto& counted = farm.counters();
  figures values;
  values.add("workers", "workers", std::uint64_t{options.workers});
  values.add("logged_in", "logged in", std::uint64_t{in});
  values.add("login_seconds", "  in seconds", login_took, 3);
  values.add("logins_per_second", "  logins/s", static_cast<double>(in) / login_took, 0);
  values.add_latency("login", "  login and first job", farm.login_latency());
  values.add("seconds", "mined, seconds", took, 3);
  values.add("shares_per_second", "shares/s", static_cast<double>(ended_in_time) / took, 0);
  values.add_latency("verdict", "  verdict", farm.verdict_latency());
  values.add("sent", "shares sent", counted.sent);
  values.add("accepted", "  accepted", counted.accepted);
  values.add("rejected", "  rejected", counted.rejected);
  values.add("unknown", "  unknown", counted.unknown);
  values.add("unanswered", "  without a verdict", counted.sent - counted.accepted - counted.rejected - counted.unknown);
  values.add("stray_verdicts", "verdicts for no share", counted.stray);
  values.add("held_back", "due, but could not be sent", counted.held_back);
  values.add("refused_logins", "refused logins", counted.refused_logins);
  values.add("disconnects", "connections that ended", counted.disconnects);
  values.add("bad_lines", "lines that could not be used", counted.bad_lines);
  for (const auto& [text, times] : counted.reasons) values.add("reason: " + text, "  reason: " + text, times);
  print(values, json);
  const bool all_told = counted.sent == counted.accepted + counted.rejected + counted.unknown;
  return in == options.workers && all_told && counted.stray == 0 ? EXIT_SUCCESS : faults_found;
}

int run_replay_role(replay_options options, bool json) {
  options.json = json;
  const auto result = run_replay(options);
  figures values;
  values.add("equal", "the same as in the recording", !result.difference);
  values.add("conversations", "connections", result.conversations);
  values.add("said", "lines said", result.said);
  values.add("heard", "lines heard", result.heard);
  values.add("seconds", "seconds", result.seconds, 3);
  if (const auto& found = result.difference) {
    values.add("line", "first difference: line of the file", std::uint64_t{found->file_line});
    values.add("peer", "  with", std::string(name(found->peer)));
    values.add("conversation", "  conversation", found->conversation);
    values.add("address", "  address", found->address);
    values.add("what", "  what", found->what);
    values.add("expected", "  expected", found->expected);
    values.add("got", "  got", found->got);
  }
  print(values, json);
  return result.difference ? faults_found : EXIT_SUCCESS;
}

int run(int argc, char** argv) {
  CLI::App app{"Load, and a ledger of every share, for Stratum proxies and pools (Stratum V1, Bitcoin dialect)."};
  app.set_version_flag("--version", std::string(stratumproxy::version()));
  app.require_subcommand(1);
  bool json = false;
  double seconds = 0;
  const auto common = [&](CLI::App& role) { role.add_flag("--json", json, "results as one JSON object"); };

  auto* pool_role = app.add_subcommand("pool", "a simulated pool, until Ctrl-C");
  std::string listen = "127.0.0.1:3333";
  pool_options pool_settings;
  pool_role->add_option("--listen", listen, "HOST:PORT; port 0 picks a free one")->capture_default_str();
  pool_role->add_option("--seconds", seconds, "ends after so long")->check(CLI::Range(0.01, longest_run));
  std::string certificate, key;
  add_certificate_options(*pool_role, certificate, key);
  add_pool_options(*pool_role, pool_settings);
  common(*pool_role);

  auto* miners_role = app.add_subcommand("miners", "simulated miners");
  std::string connect;
  double mining_seconds = 10;
  std::uint64_t shares = 0;
  miners_options miner_settings;
  miners_role->add_option("--connect", connect, "HOST:PORT of a proxy or a pool")->required();
  miners_role->add_option("--user", miner_settings.user, "account; worker 7 logs in as USER.w7")->required();
  miners_role->add_flag("--plain-user", miner_settings.plain_user, "all workers log in as USER");
  miners_role->add_option("--password", miner_settings.password, "password")->capture_default_str();
  miners_role->add_option("--seconds", mining_seconds, "how long to mine")
      ->check(CLI::Range(0.01, longest_run))
      ->capture_default_str();
  miners_role->add_option("--shares", shares, "ends after so many shares");
  add_miner_options(*miners_role, miner_settings);
  common(*miners_role);

  auto* bench_role = app.add_subcommand("bench",
                                        "pool and miners, and a proxy between them; exit code 1 when a share was lost, "
                                        "doubled or invented");
  bench_options bench;
  bench.miners.user = "stratumload";
  auto* between = bench_role->add_option_group("between", "what is between pool and miners");
  auto* bench_proxy = between->add_option("--proxy", bench.proxy, "this stratumproxyd, started with a database of its own");
  between->add_option("--through", bench.through, "HOST:PORT of something that listens already, and connects to --pool-listen");
  bool direct = false;
  between->add_flag("--direct", direct, "nothing: the ceiling of this tool");
  between->require_option(1);
  bench_role->add_option("--proxy-threads", bench.proxy_threads, "threads of --proxy; 0: one for each core")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  bench_role->add_option("--mode", bench.account.mode, "links of --proxy to the pool: a worker each, or many workers on one")
      ->check(CLI::IsMember({"dedicated", "shared"}))
      ->needs(bench_proxy);
  bench_role
      ->add_option("--verify", bench.account.verify,
                   "what --proxy checks of shares; full: the proof of work too, and the default difficulty is 2^-32, which "
                   "every hash meets")
      ->check(CLI::IsMember({"off", "basic", "full"}))
      ->needs(bench_proxy);
  bench_role->add_option("--proxy-pid", bench.proxy_pid, "process behind --through: its memory and CPU time are measured");
  bench_role->add_option("--pool-listen", bench.pool_listen, "HOST:PORT of the simulated pool")->capture_default_str();
  bench_role->add_option("--user", bench.miners.user, "login for --through and --direct")->capture_default_str();
  add_certificate_options(*bench_role, bench.certificate, bench.key);
  bench_role->add_flag("--pool-tls", bench.pool_tls, "the simulated pool speaks TLS, with --certificate")->needs("--certificate");
  bench_role->add_option("--seconds", bench.seconds, "how long to mine")
      ->check(CLI::Range(0.01, 86'400.0))
      ->capture_default_str();
  bench_role->add_option("--shares", bench.shares, "ends after so many shares");
  bench_role
      ->add_flag("--scrape", bench.scrape,
                 "mines as long once more, while the /metrics of --proxy is read again and again: what that does to verdicts and memory")
      ->needs(bench_proxy);
  bench_role->add_option("--jobs", bench.jobs, "jobs whose way to the last worker is measured")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  bench_role->add_option("--login-seconds", bench.login_seconds, "most time for all logins")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  bench_role->add_option("--drain-seconds", bench.drain_seconds, "most time for the last verdicts")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  add_pool_options(*bench_role, bench.pool);
  add_miner_options(*bench_role, bench.miners);
  common(*bench_role);

  auto* replay_role = app.add_subcommand("replay",
                                         "plays the miners or the pools of a recording of stratumproxyd --record, or both with a "
                                         "proxy between; exit code 1 at the first difference");
  replay_options replay;
  replay_role->add_option("file", replay.file, "the recording")->type_name("FILE")->required();
  auto* own_proxy = replay_role->add_option("--proxy", replay.proxy, "both sides, with this stratumproxyd between, started with a database of its own");
  replay_role->add_option("--proxy-threads", replay.proxy_threads, "threads of --proxy")->check(CLI::Range(1, 256))->capture_default_str();
  replay_role->add_option("--connect", replay.connect, "plays the miners, towards this HOST:PORT")->excludes(own_proxy);
  replay_role->add_option("--listen", replay.listen, "plays the pool at this HOST:PORT; with several pools RECORDED=HOST:PORT for each")
      ->excludes(own_proxy);
  replay_role->add_option("--account", replay.accounts, "RECORDED=NAME: the miners log in with another account");
  replay_role->add_option("--password", replay.password, "of the miners; recordings have none");
  replay_role
      ->add_option_function<std::string>("--speed", [&](const std::string& text) {
        if (text == "max") return;
        const auto value = CLI::detail::lexical_cast(text, replay.speed);
        if (!value || !(replay.speed >= 0) || replay.speed > 1e6) throw CLI::ValidationError("--speed", "is \"max\", or a number from 0 (max) to 1000000");
      }, "times the recorded pace; max: as fast as the order allows (the default)")
      ->type_name("X|max");
  replay_role->add_option("--wait-seconds", replay.wait_seconds, "most time for a line that is due")
      ->check(CLI::Range(0.05, 3600.0))
      ->capture_default_str();
  replay_role->add_option("--seconds", replay.seconds, "most time for all")->check(CLI::Range(0.1, longest_run))->capture_default_str();
  common(*replay_role);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : bad_start;
  }
  catch_signals();
  if (!certificate.empty()) pool_settings.certificate = read_certificate(certificate, key);
  if (*pool_role) return run_pool(listen, pool_settings, seconds, json);
  if (*miners_role) return run_miners(connect, miner_settings, mining_seconds, shares, json);
  if (*replay_role) return run_replay_role(replay, json);
  // Simulated miners do not hash.
  if (bench.account.verify == "full" && bench_role->count("--difficulty") == 0) bench.pool.difficulty = 0x1p-32;
  const auto result = run_bench(bench);
  print(result.values, json);
  return result.clean ? EXIT_SUCCESS : faults_found;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "stratumload: {}\n", error.what());
    return bad_start;
  }
}
