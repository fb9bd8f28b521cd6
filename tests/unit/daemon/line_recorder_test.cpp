#include <catch2/catch.hpp>

#include <rapidjson/document.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "line_recorder.hpp"

namespace {

using namespace stratumproxyd;
using stratumproxy::tapped_event;

struct folder {
  folder() {
    auto made = (std::filesystem::temp_directory_path() / "spx-recorder-XXXXXX").string();
    REQUIRE(::mkdtemp(made.data()));
    path = made;
  }
  ~folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

std::vector<rapidjson::Document> lines_of(const std::filesystem::path& file) {
  std::vector<rapidjson::Document> out;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    out.emplace_back().Parse<rapidjson::kParseValidateEncodingFlag>(line.data(), line.size());
    REQUIRE(out.back().IsObject());
  }
  return out;
}

tapped_event said(std::string_view text, std::uint64_t conversation = 1) {
  return {.what = tapped_event::kind::received, .conversation = conversation, .address = "10.0.0.1:5", .text = text};
}

}  // namespace

TEST_CASE("a recording begins with its format, ends with a count, and is its owner's alone") {
  folder here;
  event_log log({.level = stratumproxy::log_level::error});
  const auto file = here.path / "run.jsonl";
  {
    line_recorder recorder({.file = file}, log);
    recorder.on_event({.conversation = 1, .address = "10.0.0.1:5"});
    recorder.on_event(said("{\"a\":\"\\\\ \\\" \u00fc\"}"));
    recorder.on_event({.what = tapped_event::kind::ended, .conversation = 1, .text = "peer_left", .by_peer = true});
  }
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const auto lines = lines_of(file);
  REQUIRE(lines.size() == 5);
  CHECK(std::string(lines[0]["recording"].GetString()) == "stratumproxy");
  CHECK(lines[0]["format"].GetInt() == 1);
  CHECK(std::string(lines[1]["open"].GetString()) == "miner");
  CHECK(std::string(lines[2]["dir"].GetString()) == "miner>proxy");
  CHECK(std::string(lines[2]["line"].GetString()) == "{\"a\":\"\\\\ \\\" \u00fc\"}");
  CHECK(std::string(lines[3]["by"].GetString()) == "miner");
  CHECK(lines[4]["events"].GetInt() == 3);
  CHECK(lines[4]["dropped"].GetInt() == 0);
}

TEST_CASE("a recording that is there is not written over") {
  folder here;
  event_log log({.level = stratumproxy::log_level::error});
  const auto file = here.path / "run.jsonl";
  { line_recorder first({.file = file}, log); }
  const auto size = std::filesystem::file_size(file);
  {
    line_recorder second({.file = file}, log);
    CHECK(second.file() == here.path / "run.jsonl.1");
    second.on_event(said("x"));
  }
  CHECK(std::filesystem::file_size(file) == size);
  CHECK(lines_of(here.path / "run.jsonl.1").size() == 3);
}

TEST_CASE("a place where no file can be made is refused with words") {
  event_log log({.level = stratumproxy::log_level::error});
  CHECK_THROWS_WITH(line_recorder({.file = "/nonexistent/run.jsonl"}, log), Catch::Contains("cannot record into /nonexistent/run.jsonl"));
}

TEST_CASE("times rise whoever writes, and every event is in the file or counted as dropped") {
  folder here;
  event_log log({.level = stratumproxy::log_level::error});
  const auto file = here.path / "run.jsonl";
  constexpr int writers = 4, each = 20'000;
  {
    line_recorder recorder({.file = file, .megabytes = 1}, log);
    std::vector<std::thread> threads;
    for (int i = 0; i < writers; ++i)
      threads.emplace_back([&, i] {
        const std::string text(200, 'x');
        for (int n = 0; n < each; ++n) recorder.on_event(said(text, static_cast<std::uint64_t>(i)));
      });
    for (auto& thread : threads) thread.join();
  }
  const auto lines = lines_of(file);
  const auto& end = lines.back();
  CHECK(end["events"].GetInt() == writers * each);
  CHECK(static_cast<int>(lines.size()) - 2 + end["dropped"].GetInt() == writers * each);
  std::int64_t before = 0;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    REQUIRE(lines[i]["us"].GetInt64() >= before);
    before = lines[i]["us"].GetInt64();
  }
}
