#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "config_keys.hpp"
#include "environment.hpp"

namespace {

using namespace stratumproxyd;
using namespace std::chrono_literals;

config with(std::vector<const char*> variables) {
  variables.push_back(nullptr);
  config settings;
  apply_environment(settings, variables.data());
  return settings;
}

std::string error_of(const std::vector<const char*>& variables) {
  try {
    (void)with(variables);
  } catch (const config_error& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("a variable sets its key, whatever type that has") {
  const auto settings = with({
      "PATH=/bin",
      "STRATUMPROXY_DB_URL=postgresql://u:p=q@h/d",
      "STRATUMPROXY_WEB_TOKEN=0123456789abcdef",
      "STRATUMPROXY_WEB_TOKEN_FILE=/run/secrets/token",
      "STRATUMPROXY_WEB_ALLOW_OPEN=true",
      "STRATUMPROXY_WEB_HOSTS=a.example,B.example",
      "STRATUMPROXY_WEB_REGISTRATION=off",
      "STRATUMPROXY_METRICS_TAG=rack 1",
      "STRATUMPROXY_STRATUM_THREADS=3",
      "STRATUMPROXY_SESSION_GRACE_SECONDS=1.5",
      "STRATUMPROXY_SESSION_HOLD_SECONDS=2",
      "STRATUMPROXY_SESSION_VERSION_MASK=0x1fffe000",
      "STRATUMPROXY_VARDIFF_MINIMUM=1e-3",
      "STRATUMPROXY_SPLIT_BY_AGENT=NiceHash/=4,a=b=6",
  });
  CHECK(settings.db.url == "postgresql://u:p=q@h/d");
  CHECK(settings.web.token == "0123456789abcdef");
  CHECK(settings.web.token_file == "/run/secrets/token");
  CHECK(settings.web.allow_open);
  CHECK(settings.web.hosts == std::vector<std::string>{"a.example", "b.example"});
  CHECK(settings.web.access.registration == registration_policy::off);
  CHECK(settings.metrics.tag == "rack 1");
  CHECK(settings.proxy.threads == 3);
  CHECK(settings.proxy.session.grace == 1500ms);
  CHECK(settings.proxy.session.hold == 2s);
  CHECK(settings.proxy.session.version_mask == 0x1fffe000);
  CHECK(settings.proxy.vardiff.minimum == 1e-3);
  CHECK(settings.proxy.split.by_agent == std::vector<std::pair<std::string, unsigned>>{{"NiceHash/", 4}, {"a=b", 6}});
}

TEST_CASE("every key has a variable of its own") {
  std::vector<std::string> names;
  for (const auto& key : config_keys()) names.push_back(variable_of(key.name));
  std::ranges::sort(names);
  CHECK(std::ranges::adjacent_find(names) == names.end());
  CHECK(variable_of("web.token_file") == "STRATUMPROXY_WEB_TOKEN_FILE");
}

TEST_CASE("empty variables count as none, and so do those of others") {
  const auto settings = with({"STRATUMPROXY_DB_URL=", "STRATUMPROXY_STRATUM_THREADS=", "STRATUMPROXY_PORT=tcp://10.0.0.1:9332", "STRATUMPROXY_SERVICE_HOST=x",
                              "STRATUMPROXY_WEB_SERVICE_HOST=x", "STRATUMPROXY_WEB_PORT=tcp://10.0.0.1:80", "STRATUMPROXY_WEB_PORT_80_TCP_ADDR=x",
                              "STRATUMPROXY_WEB_METRICS_SERVICE_HOST=x", "STRATUMPROXY_WEB_METRICS_SERVICE_PORT_HTTP=80", "STRATUMPROXY_DB_0_PORT=tcp://10.0.0.1:80", "STRATUMPROXY_DB_0_PORT_80_TCP_PROTO=x",
                              "STRATUMPROXY_=x", "stratumproxy_db_url=sqlite:x", "STRATUMPROXY_DB_URL"});
  CHECK(change_of(config{}, settings).taken.empty());
  CHECK(change_of(config{}, settings).needs_restart.empty());
  config untouched;
  apply_environment(untouched, nullptr);
  CHECK(change_of(config{}, untouched).taken.empty());
}

TEST_CASE("a variable that names no key of its section is refused, with the one that was meant") {
  CHECK(error_of({"STRATUMPROXY_DB_URI=sqlite:canary"}) == "unknown environment variable STRATUMPROXY_DB_URI; did you mean STRATUMPROXY_DB_URL?");
  CHECK(error_of({"STRATUMPROXY_WEB_PORTS=80"}).starts_with("unknown environment variable"));
  CHECK(error_of({"STRATUMPROXY_STRATUM_LISTEN_ADDR=127.0.0.1:1"}).starts_with("unknown environment variable"));
  CHECK(error_of({"STRATUMPROXY_WEB_\n=canary"}).find('\n') == std::string::npos);
}

TEST_CASE("a value that is none is refused without being shown") {
  CHECK(error_of({"STRATUMPROXY_DB_URL=mysql://u:canary@h/d"}) == "STRATUMPROXY_DB_URL must be \"sqlite:PATH\" or \"postgresql://...\"");
  CHECK(error_of({"STRATUMPROXY_STRATUM_THREADS=many"}) == "STRATUMPROXY_STRATUM_THREADS must be a whole number from 0 to 256");
  for (const char* bad : {"STRATUMPROXY_WEB_TOKEN=short", "STRATUMPROXY_STRATUM_THREADS=3x", "STRATUMPROXY_STRATUM_THREADS=1.5", "STRATUMPROXY_STRATUM_THREADS=0x",
                          "STRATUMPROXY_SESSION_GRACE_SECONDS=1s", "STRATUMPROXY_SESSION_GRACE_SECONDS=nan", "STRATUMPROXY_WEB_ALLOW_OPEN=1",
                          "STRATUMPROXY_WEB_HOSTS=a,,b", "STRATUMPROXY_WEB_HOSTS=a:1", "STRATUMPROXY_SPLIT_BY_AGENT=NiceHash/",
                          "STRATUMPROXY_SPLIT_BY_AGENT==4", "STRATUMPROXY_SPLIT_BY_AGENT=x=9", "STRATUMPROXY_LOG_LEVEL=loud"}) {
    CAPTURE(bad);
    CHECK(error_of({bad}).starts_with("STRATUMPROXY_"));
  }
}
