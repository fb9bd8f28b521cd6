#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "command_words.hpp"
#include "config.hpp"
#include "config_keys.hpp"

namespace {

using namespace stratumproxyd;
using test::error_of, test::parse;
using namespace std::chrono_literals;

struct directory {
  std::filesystem::path path;
  directory() {
    std::string name = (std::filesystem::temp_directory_path() / "spx-config-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path = name;
  }
  ~directory() { std::filesystem::remove_all(path); }
  std::string file(const std::string& text) const {
    std::ofstream(path / "x.toml", std::ios::binary) << text;
    return (path / "x.toml").string();
  }
};

config from(const std::string& toml) {
  config settings;
  apply_toml(settings, toml, "x.toml");
  return settings;
}

std::string toml_error(const std::string& toml) {
  try {
    (void)from(toml);
  } catch (const config_error& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("without arguments the defaults of the design hold") {
  const auto settings = parse({}).settings;
  CHECK(settings.proxy.address == "127.0.0.1:9332");
  CHECK(settings.web.address == "127.0.0.1:8080");
  CHECK(settings.db.url == "sqlite:stratumproxy.db");
  CHECK(settings.proxy.metrics.window == 300s);
  CHECK(settings.proxy.metrics.interval == 60s);
  CHECK(settings.metrics.label == worker_label::address);
  CHECK(settings.metrics.max_workers == 10'000);
  CHECK(settings.proxy.session.grace == 60s);
  CHECK(settings.proxy.session.hold == 60s);
  CHECK(settings.proxy.split.mark_bytes == 1);
  CHECK(settings.proxy.split.miner_bytes == 3);
  CHECK(settings.proxy.upstream.verdict_timeout == 60s);
  CHECK(settings.proxy.upstream.retry_min == 1s);
  CHECK(settings.proxy.upstream.retry_max == 60s);
  CHECK(settings.proxy.upstream.max_workers_per_link == 256);
  CHECK(settings.proxy.upstream.empty_link == 30s);
  CHECK(settings.proxy.failover.patience == 5s);
  CHECK(settings.proxy.failover.stable == 60s);
  CHECK(settings.proxy.slices.shortest == 15s);
  CHECK(settings.proxy.slices.longest == 60s);
}

namespace {

const std::string every_key = R"(
[stratum]
addr = "0.0.0.0:1"
threads = 3
proxy_protocol_from = ["10.0.0.5"]
tls = "off"
[[stratum.listen]]
addr = "[::]:3"
[[stratum.listen]]
addr = "127.0.0.1:4"
proxy_protocol_from = ["::1", "10.0.0.0/8"]
tls = "only"
[config]
watch = false
[tls]
certificate = "/c.pem"
key = "/k.pem"
[web]
certificate = "/wc.pem"
key = "/wk.pem"
addr = "[::1]:2"
token_file = "/t"
allow_open = true
hosts = ["Farm.Example"]
registration = "token"
registrations_per_minute = 33
registrations_burst = 34
failed_logins_per_minute = 35
failed_logins_burst = 36
audit_days = 37
[handover]
socket = "/run/h"
drain_seconds = 38
[db]
url = "postgresql://h/d"
migrations = "/m"
[log]
level = "warning"
format = "json"
[metrics]
tag = "rack-1"
window_seconds = 10
interval_seconds = 2
flush_seconds = 0.25
worker_label = "rig"
max_workers = 0
history_days = 38
[accounts]
delete_after_days = 39
delete_check_seconds = 40
[record]
file = "/r"
megabytes = 45
[session]
grace_seconds = 1.5
hold_seconds = 0
refresh_seconds = 20
max_kept_per_address = 5
max_kept_per_account = 6
version_mask = 0x00ffe000
records = "on"
[split]
mark_bytes = 2
miner_bytes = 4
by_agent = { "a" = 2, "abc/" = 8 }
[upstream]
line_bytes = 100000
output_bytes = 100001
connects_per_second = 7
verdict_timeout_seconds = 11
connect_timeout_seconds = 12
configure_timeout_seconds = 13
handshake_timeout_seconds = 14
silence_seconds = 15
retry_min_seconds = 0.05
retry_max_seconds = 17
refusal_min_seconds = 18
refusal_max_seconds = 19
share_wait_seconds = 20
spread_seconds = 21
socks5 = "me:so:crets@Socks.example:1080"
[shared]
max_workers_per_link = 100
empty_link_seconds = 7
[failover]
patience_seconds = 0.01
no_job_seconds = 41
stable_seconds = 42
return_max_seconds = 43
storm_shares = 64
storm_percent = 100
[slices]
shortest_seconds = 0.01
longest_seconds = 44
idle_limit_seconds = 0.02
[vardiff]
shares_per_minute = 7.5
minimum = 0.001
maximum = 1e15
first = 65536
[checks]
threads = 3
max_queued = 99
[limits]
line_bytes = 4096
first_message_seconds = 22
authorize_seconds = 23
idle_seconds = 24
output_bytes = 50000
output_blocked_seconds = 25
in_flight = 26
error_budget = 27
failed_authorizes = 28
invalid_ratio_percent = 29
invalid_minimum = 30
unauthorized_per_address = 31
ban_seconds = 46
connections = 32
)";

}  // namespace

TEST_CASE("every key is taken from the file") {
  const auto settings = from(every_key);
  CHECK_FALSE(settings.file.watch);
  CHECK(settings.proxy.address == "0.0.0.0:1");
  CHECK(settings.proxy.threads == 3);
  CHECK(settings.handover.socket == "/run/h");
  CHECK(settings.handover.drain == 38s);
  CHECK_FALSE(settings.handover.take_over);
  CHECK(settings.proxy.proxy_protocol_from == std::vector<std::string>{"10.0.0.5"});
  REQUIRE(settings.proxy.more_listeners.size() == 2);
  CHECK(settings.proxy.more_listeners[0].address == "[::]:3");
  CHECK(settings.proxy.more_listeners[0].proxy_protocol_from.empty());
  CHECK(settings.proxy.tls == stratumproxy::listener_tls::off);
  CHECK(settings.proxy.more_listeners[0].tls == stratumproxy::listener_tls::detect);
  CHECK(settings.proxy.more_listeners[1].tls == stratumproxy::listener_tls::only);
  CHECK(settings.proxy.more_listeners[1].address == "127.0.0.1:4");
  CHECK(settings.proxy.more_listeners[1].proxy_protocol_from == std::vector<std::string>{"::1", "10.0.0.0/8"});
  CHECK(settings.web.address == "[::1]:2");
  CHECK(settings.web.token_file == "/t");
  CHECK(settings.web.allow_open);
  CHECK(settings.web.hosts == std::vector<std::string>{"farm.example"});
  CHECK(settings.web.access.registration == registration_policy::token);
  CHECK(settings.web.access.registrations.per_minute == 33);
  CHECK(settings.web.access.registrations.burst == 34);
  CHECK(settings.web.access.failed_logins.per_minute == 35);
  CHECK(settings.web.access.failed_logins.burst == 36);
  CHECK(settings.web.audit_days == 37);
  CHECK(settings.db.url == "postgresql://h/d");
  CHECK(settings.db.migrations == "/m");
  CHECK(settings.log.level == stratumproxy::log_level::warning);
  CHECK(settings.log.format == log_format::json);
  CHECK(settings.metrics.tag == "rack-1");
  CHECK(settings.metrics.flush == 250ms);
  CHECK(settings.metrics.label == worker_label::rig);
  CHECK(settings.metrics.max_workers == 0);
  CHECK(settings.metrics.history_days == 38);
  CHECK(settings.accounts.delete_after_days == 39);
  CHECK(settings.accounts.delete_check == 40s);
  CHECK(settings.record.file == "/r");
  CHECK(settings.record.megabytes == 45);
  CHECK(settings.bans.automatic == 46s);
  CHECK(settings.proxy.metrics.window == 10s);
  CHECK(settings.proxy.metrics.interval == 2s);
  CHECK(settings.proxy.session.grace == 1500ms);
  CHECK(settings.proxy.session.hold == 0s);
  CHECK(settings.proxy.session.refresh == 20s);
  CHECK(settings.proxy.session.max_kept_per_address == 5);
  CHECK(settings.proxy.session.max_kept_per_account == 6);
  CHECK(settings.proxy.session.version_mask == 0x00ffe000);
  CHECK(settings.records == session_records::on);
  CHECK(settings.proxy.split.mark_bytes == 2);
  CHECK(settings.proxy.split.miner_bytes == 4);
  CHECK(settings.proxy.split.by_agent == std::vector<std::pair<std::string, unsigned>>{{"abc/", 8}, {"a", 2}});
  const auto& up = settings.proxy.upstream;
  CHECK(up.line_bytes == 100'000);
  CHECK(up.output_bytes == 100'001);
  CHECK(up.connects_per_second == 7);
  CHECK(up.verdict_timeout == 11s);
  CHECK(up.connect_timeout == 12s);
  CHECK(up.configure_timeout == 13s);
  CHECK(up.handshake_timeout == 14s);
  CHECK(up.silence == 15s);
  CHECK(up.retry_min == 50ms);
  CHECK(up.retry_max == 17s);
  CHECK(up.refusal_min == 18s);
  CHECK(up.refusal_max == 19s);
  CHECK(up.share_wait == 20s);
  CHECK(up.spread == 21s);
  CHECK(up.socks5.host == "socks.example");
  CHECK(up.socks5.port == 1080);
  CHECK(up.socks5.user == "me");
  CHECK(up.socks5.password == "so:crets");
  CHECK(settings.tls.certificate == "/c.pem");
  CHECK(settings.tls.key == "/k.pem");
  CHECK(settings.web.tls.certificate == "/wc.pem");
  CHECK(settings.web.tls.key == "/wk.pem");
  CHECK(up.max_workers_per_link == 100);
  CHECK(up.empty_link == 7s);
  const auto& failover = settings.proxy.failover;
  CHECK(failover.patience == 10ms);
  CHECK(failover.no_job == 41s);
  CHECK(failover.stable == 42s);
  CHECK(failover.return_max == 43s);
  CHECK(failover.storm_shares == 64);
  CHECK(failover.storm_percent == 100);
  CHECK(settings.proxy.slices.shortest == 10ms);
  CHECK(settings.proxy.slices.longest == 44s);
  CHECK(settings.proxy.slices.idle_limit == 20ms);
  CHECK(settings.proxy.vardiff.shares_per_minute == 7.5);
  CHECK(settings.proxy.vardiff.minimum == 0.001);
  CHECK(settings.proxy.vardiff.maximum == 1e15);
  CHECK(settings.proxy.vardiff.first == 65536);
  CHECK(settings.proxy.checks.threads == 3);
  CHECK(settings.proxy.checks.max_queued == 99);
  const auto& limits = settings.proxy.limits;
  CHECK(limits.line_bytes == 4096);
  CHECK(limits.first_message == 22s);
  CHECK(limits.authorize == 23s);
  CHECK(limits.idle == 24s);
  CHECK(limits.output_bytes == 50'000);
  CHECK(limits.output_blocked == 25s);
  CHECK(limits.in_flight == 26);
  CHECK(limits.error_budget == 27);
  CHECK(limits.failed_authorizes == 28);
  CHECK(limits.invalid_ratio_percent == 29);
  CHECK(limits.invalid_minimum == 30);
  CHECK(limits.unauthorized_per_address == 31);
  CHECK(limits.connections == 32);
}

TEST_CASE("flags win over the file") {
  const directory temporary;
  const auto file = temporary.file("[stratum]\naddr = \"127.0.0.1:1\"\n[metrics]\ntag = \"file\"\n[log]\nlevel = \"error\"\n");
  const auto settings = parse({"--config", file.c_str(), "--metrics.tag", "flag", "--log.level=debug", "--threads", "2", "--takeover",
                               "--drain-seconds", "0.5"}).settings;
  CHECK(settings.proxy.address == "127.0.0.1:1");
  CHECK(settings.metrics.tag == "flag");
  CHECK(settings.log.level == stratumproxy::log_level::debug);
  CHECK(settings.proxy.threads == 2);
  CHECK(settings.handover.take_over);
  CHECK(settings.handover.drain == 500ms);
}

TEST_CASE("an empty file changes nothing") {
  const directory temporary;
  const auto file = temporary.file("");
  CHECK(parse({"--config", file.c_str()}).settings.proxy.address == "127.0.0.1:9332");
}

TEST_CASE("further listeners have a section each") {
  CHECK(toml_error("[[stratum.listen]]\nadr = \"127.0.0.1:1\"\n") == "x.toml:2: unknown key stratum.listen.adr; did you mean addr?");
  CHECK(toml_error("[[stratum.listen]]\naddr = 1\n").find("x.toml:2: stratum.listen.addr must be ") == 0);
  CHECK(toml_error("[stratum.listen]\naddr = \"127.0.0.1:1\"\n") == "x.toml:1: stratum.listen must be written [[stratum.listen]]");
  CHECK(toml_error("[stratum]\nlisten = [1]\n") == "x.toml:2: stratum.listen must be written [[stratum.listen]]");
  CHECK(toml_error("[[stratum.listen]]\n") == "x.toml: each [[stratum.listen]] needs an addr");
  CHECK(toml_error("[[stratum.listen]]\naddr = \"127.0.0.1:9332\"\n") ==
        "x.toml: stratum.addr and an addr of [[stratum.listen]] are the same address");
  CHECK(toml_error("[[stratum.listen]]\naddr = \"127.0.0.1:0\"\n[[stratum.listen]]\naddr = \"127.0.0.1:0\"\n").empty());
}

TEST_CASE("an unknown key is refused with its line and the name that was meant") {
  CHECK(toml_error("[session]\n\ngrace_second = 1\n") == "x.toml:3: unknown key session.grace_second; did you mean grace_seconds?");
  CHECK(toml_error("[sesion]\n") == "x.toml:1: unknown section sesion; did you mean [session]?");
  CHECK(toml_error("[vardif]\n") == "x.toml:1: unknown section vardif; did you mean [vardiff]?");
  CHECK(toml_error("[shared]\nmax_workers = 1\n").find("x.toml:2: unknown key shared.max_workers") == 0);
  CHECK(toml_error("[web]\npassword_of_the_moon = 1\n") == "x.toml:2: unknown key web.password_of_the_moon");
  CHECK(toml_error("[web.tls]\nx = 1\n").find("x.toml:1: unknown key web.tls") == 0);
  CHECK(toml_error("[[web]]\n").find("x.toml:1: web must be a section: [web]") == 0);
  CHECK(toml_error("tag = \"x\"\n").find("x.toml:1: unknown section tag") == 0);
}

TEST_CASE("values of the wrong type or out of range are refused with their line") {
  for (const std::string line : {
           "[stratum]\naddr = 3333", "[stratum]\naddr = \"nowhere\"", "[stratum]\naddr = [\"127.0.0.1:1\"]", "[stratum]\nthreads = -1",
           "[stratum]\nthreads = 1.5", "[stratum]\ntls = true", "[stratum]\ntls = \"on\"", "[stratum]\nproxy_protocol_from = \"10.0.0.5\"", "[stratum]\nproxy_protocol_from = [\"10.0.0.1/8\"]",
           "[stratum]\nproxy_protocol_from = [\"farm\"]", "[stratum]\nproxy_protocol_from = [\"farm.example\"]", "[config]\nwatch = 1", "[web]\nallow_open = 1", "[web]\ntoken = \"short\"", "[web]\ntoken = \"with a space\"", "[web]\nhosts = \"a\"", "[web]\nhosts = [\"a:1\"]", "[web]\nhosts = [1]",
           "[web]\nregistration = \"closed\"", "[web]\nregistration = false", "[web]\nregistrations_per_minute = 0",
           "[web]\nregistrations_burst = 0", "[web]\nfailed_logins_per_minute = 1.5", "[web]\nfailed_logins_burst = -1",
           "[web]\naudit_days = -1",
           "[db]\nurl = \"mysql://x\"", "[db]\nurl = \"sqlite:\"", "[log]\nlevel = \"loud\"", "[log]\nformat = true",
           "[metrics]\ntag = 5", "[metrics]\ntag = \"a\\nb\"", "[metrics]\nwindow_seconds = 0", "[metrics]\nwindow_seconds = -1",
           "[metrics]\nworker_label = \"name\"", "[metrics]\nmax_workers = -1", "[metrics]\nmax_workers = 1000001",
           "[session]\ngrace_seconds = \"60\"", "[session]\ngrace_seconds = nan", "[session]\ngrace_seconds = inf",
           "[session]\ngrace_seconds = 1e300", "[session]\nversion_mask = -1", "[session]\nversion_mask = 0x1ffffffff",
           "[split]\nmark_bytes = 0", "[split]\nminer_bytes = 9", "[split]\nby_agent = { \"a\" = 9 }", "[split]\nby_agent = { \"\" = 3 }",
           "[split]\nby_agent = 5", "[limits]\nline_bytes = 0", "[limits]\nin_flight = -1", "[limits]\nline_bytes = \"10\"",
           "[limits]\nconnections = 9223372036854775807", "[limits]\nauthorize_seconds = 0", "[limits]\nidle_seconds = []",
           "[limits]\nerror_budget = 1979-05-27", "[shared]\nmax_workers_per_link = 0", "[shared]\nmax_workers_per_link = 65537",
           "[shared]\nempty_link_seconds = -1", "[vardiff]\nshares_per_minute = 0", "[vardiff]\nshares_per_minute = nan",
           "[vardiff]\nminimum = 0", "[vardiff]\nminimum = 1e-10", "[vardiff]\nmaximum = 1e19", "[vardiff]\nfirst = \"1024\"",
           "[tls]\ncertificate = 5", "[upstream]\nsocks5 = \"nowhere\"", "[upstream]\nsocks5 = \"me@s.example:1\"",
           "[upstream]\nsocks5 = \":x@s.example:1\"", "[upstream]\nsocks5 = \"me:@s.example:1\"", "[upstream]\nsocks5 = 1080",
           "[checks]\nthreads = 257", "[checks]\nmax_queued = 0", "[checks]\nmax_queued = 1.5",
           "[failover]\npatience_seconds = 0.009", "[failover]\nstorm_shares = 0", "[failover]\nstorm_shares = 65",
           "[failover]\nstorm_percent = 0", "[failover]\nstorm_percent = 101", "[slices]\nshortest_seconds = 0"}) {
    CAPTURE(line);
    CHECK(toml_error(line + "\n").find("x.toml:2: ") == 0);
  }
  CHECK(toml_error("stratum = \"x\"\n") == "x.toml:1: stratum must be a section: [stratum]");
  CHECK(toml_error("[limits]\nline_bytes = 0\n") == "x.toml:2: limits.line_bytes must be a whole number from 512 to 1048576");
  CHECK(toml_error("[vardiff]\nfirst = -1\n") == "x.toml:2: vardiff.first must be a number from 2.3e-10 to 4.7e+18");
}

TEST_CASE("what is no TOML is refused with line and column, in one line") {
  for (const std::string& text : {std::string("[stratum\naddr="), std::string("[session]\ngrace_seconds = 1\ngrace_seconds = 2\n"),
                                 std::string("[metrics]\ntag = \"\xff\"\n"), "[metrics]\ntag = " + std::string(300'000, '['),
                                 std::string("{\"listen\":["), std::string("[a]\nx = 99999999999999999999\n")}) {
    const auto error = toml_error(text);
    CHECK(error.find("x.toml:") == 0);
    CHECK(error.find('\n') == std::string::npos);
  }
}

TEST_CASE("values that exclude each other are refused") {
  CHECK_FALSE(toml_error("[upstream]\nretry_min_seconds = 100\n").empty());
  CHECK_FALSE(toml_error("[upstream]\nrefusal_max_seconds = 1\n").empty());
  CHECK(toml_error("[failover]\nreturn_max_seconds = 59\n") ==
        "x.toml: failover.stable_seconds is more than failover.return_max_seconds");
  CHECK(toml_error("[slices]\nlongest_seconds = 14\n") == "x.toml: slices.shortest_seconds is more than slices.longest_seconds");
  CHECK(toml_error("[slices]\nidle_limit_seconds = 15\n") ==
        "x.toml: slices.idle_limit_seconds must be more than slices.shortest_seconds");
  CHECK(toml_error("[slices]\nshortest_seconds = 60\nidle_limit_seconds = 61\n").empty());
  CHECK_FALSE(toml_error("[metrics]\nwindow_seconds = 1\n").empty());
  CHECK_FALSE(toml_error("[metrics]\nwindow_seconds = 481\n").empty());
  CHECK(toml_error("[metrics]\nwindow_seconds = 480\n").empty());
  CHECK(toml_error("[vardiff]\nminimum = 4\nmaximum = 2\n") == "x.toml: no power of two lies between vardiff.minimum and vardiff.maximum");
  CHECK_FALSE(toml_error("[vardiff]\nminimum = 1100\nmaximum = 2000\n").empty());
  CHECK(toml_error("[vardiff]\nminimum = 1024\nmaximum = 1024\n").empty());
  CHECK(toml_error("[web]\ntoken = \"canary-canary\"\ntoken_file = \"/t\"\n") == "x.toml: web.token and web.token_file are both given");
  CHECK_FALSE(toml_error("[stratum]\ntls = \"only\"\n").empty());
  CHECK_FALSE(toml_error("[[stratum.listen]]\naddr = \"127.0.0.1:0\"\ntls = \"only\"\n").empty());
  CHECK(toml_error("[stratum]\ntls = \"only\"\n[tls]\ncertificate = \"c\"\nkey = \"k\"\n").empty());
  CHECK(toml_error("[tls]\ncertificate = \"c\"\n") == "x.toml: tls.certificate and tls.key go together");
  CHECK_FALSE(error_of({"--tls.key", "k"}).empty());
  CHECK_FALSE(error_of({"--web.certificate", "k"}).empty());
  CHECK(error_of({"--tls.certificate", "c", "--tls.key", "k"}).empty());
  CHECK_FALSE(error_of({"--stratum.addr", "127.0.0.1:9000", "--web.addr", "127.0.0.1:9000"}).empty());
  CHECK(error_of({"--stratum.addr", "127.0.0.1:0", "--web.addr", "127.0.0.1:0"}).empty());
}

TEST_CASE("only a regular file of sensible size is read") {
  const directory temporary;
  const auto fifo = (temporary.path / "fifo").string();
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(error_of({"--config", fifo.c_str()}).find("not a regular file") != std::string::npos);
  CHECK(error_of({"--config", temporary.path.c_str()}).find("not a regular file") != std::string::npos);
  CHECK(error_of({"--config", (temporary.path / "none").c_str()}).find("No such file") != std::string::npos);
  CHECK(error_of({"--config", "/dev/zero"}).find("not a regular file") != std::string::npos);
  const auto large = temporary.file(std::string(2'000'000, '#'));
  CHECK(error_of({"--config", large.c_str()}).find("larger than") != std::string::npos);
}

TEST_CASE("bad flags are refused in one line that shows no value") {
  CHECK(error_of({"--stratum.adr", "x"}) == "unknown option --stratum.adr; see --help");
  CHECK(error_of({"--database=postgresql://u:canary@h/d"}) == "unknown option --database; see --help");
  CHECK(error_of({"canary"}) == "unknown argument; see --help");
  CHECK(error_of({"--db", "mysql://u:canary@h/d"}).find("canary") == std::string::npos);
  CHECK(error_of({"--db", "mysql://u:canary@h/d"}).find("sqlite:PATH") != std::string::npos);
  CHECK_FALSE(error_of({"--threads", "many"}).empty());
  CHECK_FALSE(error_of({"--threads", "1000"}).empty());
  CHECK_FALSE(error_of({"--log.level", "loud"}).empty());
  CHECK_FALSE(error_of({"--config"}).empty());
  CHECK_FALSE(error_of({"--metrics.tag", "\xff"}).empty());
}

TEST_CASE("help and version are printed, not run") {
  const auto help = parse({"--help"});
  CHECK(help.what == command_line::action::print);
  for (const std::string flag : {"--config", "--stratum.addr", "--web.addr", "--db", "--metrics.tag", "--web.token-file", "--log.level", "--log.format",
                                 "--record"})
    CHECK(help.text.find(flag) != std::string::npos);
  const auto version = parse({"--version"});
  CHECK(version.what == command_line::action::print);
  CHECK(version.text.starts_with("stratumproxyd "));
}

TEST_CASE("what a key gives is what it takes") {
  auto settings = from(every_key);
  settings.web.token = "0123456789";
  config other;
  for (const auto& key : config_keys()) {
    CAPTURE(key.name);
    if (key.is_repeated) continue;
    CHECK(key.get(settings) != key.get(other));  // or the test says nothing about it
    CHECK(key.set(other, key.get(settings)).empty());
    CHECK(key.get(settings) == key.get(other));
  }
}

TEST_CASE("a change leaves keys that need a restart as they run, and tells which are which") {
  const auto running = from("[stratum]\nthreads = 2\n[db]\nurl = \"sqlite:a\"\n[session]\ngrace_seconds = 1\n[web]\naudit_days = 5\n");
  const auto wanted = from("[stratum]\nthreads = 3\n[db]\nurl = \"sqlite:b\"\n[session]\ngrace_seconds = 2\n[web]\naudit_days = 5\n");
  const auto change = change_of(running, wanted);
  CHECK(change.taken == std::vector<std::string>{"session.grace_seconds"});
  CHECK(change.needs_restart == std::vector<std::string>{"stratum.threads", "db.url"});
  CHECK(change.result.proxy.threads == 2);
  CHECK(change.result.db.url == "sqlite:a");
  CHECK(change.result.proxy.session.grace == 2s);
  CHECK(change.result.web.audit_days == 5);
  CHECK(change_of(change.result, wanted).taken.empty());
  CHECK(change_of(change.result, wanted).needs_restart == change.needs_restart);
  CHECK(change_of(change.result, running).needs_restart.empty());
}

TEST_CASE("further listeners stay as they run, and are one key") {
  const auto running = from("[[stratum.listen]]\naddr = \"127.0.0.1:1\"\n[[stratum.listen]]\naddr = \"127.0.0.1:2\"\n");
  for (const std::string other : {"", "[[stratum.listen]]\naddr = \"127.0.0.1:1\"\n[[stratum.listen]]\naddr = \"127.0.0.1:2\"\nproxy_protocol_from = [\"::1\"]\n"}) {
    const auto change = change_of(running, from(other));
    CHECK(change.needs_restart == std::vector<std::string>{"stratum.listen"});
    REQUIRE(change.result.proxy.more_listeners.size() == 2);
    CHECK(change.result.proxy.more_listeners[1].address == "127.0.0.1:2");
    CHECK(change.result.proxy.more_listeners[1].proxy_protocol_from.empty());
  }
  CHECK(change_of(running, running).needs_restart.empty());
}
