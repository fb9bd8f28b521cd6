#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "command_words.hpp"
#include "commands/check_config.hpp"

namespace {

using namespace stratumproxyd;
using test::error_of, test::parse;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("without a command, or with run, the daemon runs") {
  CHECK(parse({}).what == command_line::action::run);
  CHECK(parse({"run"}).what == command_line::action::run);
  CHECK(parse({"--threads", "2", "run", "--metrics.tag", "t"}).settings.metrics.tag == "t");
  CHECK(parse({"--threads", "2", "run", "--metrics.tag", "t"}).settings.proxy.threads == 2);
}

TEST_CASE("the program's options stand before or after a command") {
  for (const auto& line : {std::vector<const char*>{"--db", "sqlite:x", "user", "list"},
                           {"user", "--db", "sqlite:x", "list"},
                           {"user", "list", "--db", "sqlite:x"}}) {
    const auto parsed = parse(line);
    CHECK(parsed.what == command_line::action::command);
    CHECK(parsed.settings.db.url == "sqlite:x");
    CHECK(parsed.command);
  }
  CHECK(error_of({"user", "list", "--log.level", "loud"}).find("--log.level") != std::string::npos);
}

TEST_CASE("a value may be called as a command is") {
  CHECK(parse({"--metrics.tag", "user"}).what == command_line::action::run);
  CHECK(parse({"user", "show", "status"}).what == command_line::action::command);
  CHECK(parse({"token", "create", "run", "--role", "admin"}).what == command_line::action::command);
}

TEST_CASE("a word that is no command is not repeated") {
  CHECK(error_of({"canary"}) == "unknown argument; see --help");
  CHECK(error_of({"polo"}) == "unknown command; did you mean pool?");
  CHECK(error_of({"user", "lst"}) == "unknown command; did you mean list?");
  CHECK(error_of({"user", "show", "name", "canary"}).find("canary") == std::string::npos);
  CHECK(error_of({"user", "add", "-pcanary"}) == "unknown option -p; see --help");
  CHECK(error_of({"user"}) == "user needs one of add, list, show, remove; see user --help");
  CHECK_FALSE(error_of({"user", "show"}).empty());
  CHECK_FALSE(error_of({"user", "list", "pool", "list"}).empty());
}

TEST_CASE("each command has a help of its own") {
  CHECK(parse({"user", "add", "--help"}).text.find("Usage: stratumproxyd user add") != std::string::npos);
  CHECK(parse({"user", "--help"}).text.find("remove") != std::string::npos);
  CHECK(parse({"--help"}).text.find("check-config") != std::string::npos);
}

TEST_CASE("what is seldom meant is suspicious") {
  config settings;
  settings.db.url = "sqlite:/tmp/x.db";
  CHECK(suspicions(settings).empty());
  const auto says = [&](const char* key) {
    const auto found = suspicions(settings);
    return found.size() == 1 && found[0].find(key) != std::string::npos;
  };
  SECTION("a database that moves with the directory") {
    settings.db.url = "sqlite:x.db";
    CHECK(says("db.url"));
  }
  SECTION("a password in a URL") {
    settings.db.url = "postgresql://u:secret@h/d";
    settings.metrics.tag = "t";
    CHECK(says("db.url"));
    CHECK(suspicions(settings)[0].find("secret") == std::string::npos);
  }
  SECTION("several proxies could have one tag") {
    settings.db.url = "postgresql://u@h/d";
    CHECK(says("metrics.tag"));
  }
  SECTION("port 0") {
    settings.proxy.address = "10.0.0.1:0";
    CHECK(says("stratum.addr"));
  }
  SECTION("no patience with pools") {
    settings.proxy.session.hold = 0ms;
    CHECK(says("session.hold_seconds"));
  }
  SECTION("everything is recorded") {
    settings.record.file = "/tmp/lines";
    CHECK(says("record.file"));
  }
}
